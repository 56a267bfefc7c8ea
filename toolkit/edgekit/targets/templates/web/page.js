// The page: chooses a file and a processor, takes a sample, shows answers, and runs the self-test.

import { openBundle, processors } from './model.js'
import { count } from './tensors.js'

const NAMES = { wasm: 'the processor (WASM)', webgpu: 'the graphics card (WebGPU)' }
const SHOWN = 12 // values of an output that has no classes

const $ = id => document.getElementById(id)
let bundle = null
let golden = null
let model = null

function element(tag, content = '', properties = {}) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...[content].flat())
  return made
}

function say(text, bad = false) {
  $('status').textContent = text
  $('status').classList.toggle('bad', bad)
}

const short = value => (Number.isInteger(Number(value)) ? String(value) : Number(value).toPrecision(4))

/** Runs work that may fail; what went wrong is said, and nothing else can be pressed meanwhile. */
async function busy(work) {
  const controls = [...document.querySelectorAll('button, select')]
  controls.forEach(control => { control.disabled = true })
  try {
    await work()
  } catch (error) {
    say(error.message ?? String(error), true)
    console.error(error)
  } finally {
    controls.forEach(control => { control.disabled = false })
  }
}

async function open() {
  const [name, processor] = [$('file').value, $('processor').value]
  say(`Opening ${name} ...`)
  model?.close()
  model = null
  model = await bundle.open(name, processor)
  say(`${name} is open, on ${model.placement}.`)
  await test(model, processor)
}

async function test(opened, processor) {
  const start = performance.now()
  const tested = await opened.selfTest()
  if (!tested) return
  const each = (performance.now() - start) / tested.samples
  for (const result of tested.results) {
    const id = `${opened.file.file}/${result.output}/${processor}`
    const row = element('tr', [
      element('th', `${opened.file.file}: ${result.output}`, { scope: 'row' }),
      element('td', opened.placement),
      element('td', result.passed ? '✓ pass' : '✗ fail', { className: result.passed ? 'pass' : 'fail' }),
      element('td', `${result.identical.toLocaleString('en')} of ${result.values.toLocaleString('en')}`, { className: 'n' }),
      element('td', short(result.largest), { className: 'n' }),
      element('td', short(result.tolerance), { className: 'n' }),
      element('td', each.toFixed(2), { className: 'n' }),
    ])
    row.dataset.of = id
    const old = [...$('tests').rows].find(other => other.dataset.of === id)
    if (old) old.replaceWith(row)
    else $('tests').append(row)
  }
}

async function testAll() {
  for (const { file } of bundle.info.files) {
    if (file === model?.file.file) {
      await test(model, $('processor').value)
      continue
    }
    const other = await bundle.open(file, $('processor').value)
    try {
      await test(other, $('processor').value)
    } finally {
      other.close()
    }
  }
  await open()
}

async function run(sample) {
  if (!model) throw new Error('No file is open.')
  const start = performance.now()
  const answers = await model.classify(sample)
  const took = performance.now() - start
  $('result').replaceChildren(...Object.entries(answers).flatMap(([name, answer]) => [
    element('p', name, { className: 'output' }),
    answer.ranked ? ranked(answer) : plain(answer),
  ]), element('p', `${took.toFixed(1)} ms, on ${model.placement}`, { className: 'soft' }))
}

function ranked({ values, ranked: classes }) {
  const [lowest, highest] = [Math.min(0, ...values), Math.max(1, ...values)]
  return element('ol', classes.map(({ name, score }) => element('li', [
    element('span', name),
    element('span', score.toPrecision(3)),
    element('meter', '', { min: lowest, max: highest, value: score, ariaLabel: `score of ${name}` }),
  ])), { className: 'ranked' })
}

function plain({ values }) {
  const more = values.length > SHOWN ? ` ... and ${(values.length - SHOWN).toLocaleString('en')} more` : ''
  return element('p', values.slice(0, SHOWN).map(short).join('  ') + more, { className: 'values' })
}

async function runImage(image) {
  if (!image?.type?.startsWith('image/')) throw new Error('That is no image.')
  const bitmap = await createImageBitmap(image)
  draw(bitmap, bitmap.width, bitmap.height)
  bitmap.close()
  await run(image)
}

function draw(source, width, height) {
  const canvas = $('preview')
  const scale = Math.min(1, 448 / Math.max(width, height))
  canvas.width = Math.max(1, Math.round(width * scale))
  canvas.height = Math.max(1, Math.round(height * scale))
  canvas.getContext('2d').drawImage(source, 0, 0, canvas.width, canvas.height)
  canvas.hidden = false
  $('drop-text').textContent = 'Choose another'
}

function typedNumbers() {
  const inputs = {}
  for (const { name, shape } of bundle.info.files[0].inputs) {
    const sizes = [1, ...shape.slice(1).map(n => n ?? golden?.inputs[name]?.shape.at(-1) ?? 1)]
    const numbers = $(`input-${name}`).value.split(/[\s,;[\]]+/).filter(Boolean).map(Number)
    if (numbers.some(Number.isNaN)) throw new Error(`${name}: numbers are wanted, joined by spaces or commas.`)
    if (numbers.length !== count(sizes)) {
      throw new Error(`${name}: ${count(sizes).toLocaleString('en')} numbers are wanted, and these are ${numbers.length.toLocaleString('en')}.`)
    }
    inputs[name] = { data: Float32Array.from(numbers), shape: sizes }
  }
  return inputs
}

function goldenSample(at) {
  return Object.fromEntries(Object.entries(golden.inputs).map(([name, { data, shape }]) => {
    const each = count(shape.slice(1))
    return [name, { data: data.slice(at * each, (at + 1) * each), shape: [1, ...shape.slice(1)] }]
  }))
}

function showGolden(sample) {
  for (const [name, { data }] of Object.entries(sample)) {
    const field = $(`input-${name}`)
    if (field) field.value = Array.from(data, short).join(' ')
  }
  const [image] = bundle.info.preprocessing
  if (!image) return
  const { data, shape } = sample[image.input]
  const [, height, width, channels] = shape
  const pixels = new ImageData(width, height)
  const from = channels < 3 ? [0, 0, 0] : image.color_order === 'BGR' ? [2, 1, 0] : [0, 1, 2]
  for (let i = 0; i < width * height; i++) {
    from.forEach((channel, c) => {
      pixels.data[4 * i + c] = data[i * channels + channel] * image.std[channel] + image.mean[channel]
    })
    pixels.data[4 * i + 3] = 255
  }
  const canvas = new OffscreenCanvas(width, height)
  canvas.getContext('2d').putImageData(pixels, 0, 0)
  draw(canvas, width, height)
}

async function start() {
  bundle = await openBundle()
  golden = await bundle.golden()
  const { files, preprocessing } = bundle.info
  $('file').append(...files.map(f => element('option', `${f.file} (${Math.ceil(f.bytes / 1000).toLocaleString('en')} kB)`, { value: f.file })))
  $('processor').append(...(await processors()).map(p => element('option', NAMES[p], { value: p })))
  $('image-input').hidden = !preprocessing.length
  $('numbers').hidden = preprocessing.length > 0
  $('fields').append(...files[0].inputs.map(({ name, shape }) => element('label', [
    `${name}: ${shape.slice(1).map(n => n ?? 'any').join(' × ') || 1} numbers`,
    element('textarea', '', { id: `input-${name}`, spellcheck: false }),
  ])))
  if (golden) {
    $('golden-samples').hidden = false
    $('golden-buttons').append(...Array.from({ length: golden.samples }, (_, at) => {
      const button = element('button', String(at + 1), { type: 'button', ariaLabel: `Run golden sample ${at + 1}` })
      button.onclick = () => busy(async () => {
        const sample = goldenSample(at)
        showGolden(sample)
        await run(sample)
      })
      return button
    }))
  }
  $('file').onchange = $('processor').onchange = () => busy(open)
  $('test-all').onclick = () => busy(testAll)
  $('numbers').onsubmit = event => {
    event.preventDefault()
    busy(() => run(typedNumbers()))
  }
  $('image').onchange = event => busy(() => runImage(event.target.files[0]))
  document.onpaste = event => {
    const [image] = event.clipboardData.files
    if (image && preprocessing.length) busy(() => runImage(image))
  }
  for (const kind of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    $('drop').addEventListener(kind, event => {
      event.preventDefault()
      $('drop').classList.toggle('over', kind === 'dragenter' || kind === 'dragover')
      if (kind === 'drop') busy(() => runImage(event.dataTransfer.files[0]))
    })
  }
  await open()
  if (golden) {
    const sample = goldenSample(0)
    showGolden(sample)
    await run(sample)
  }
}

busy(start).then(() => { document.body.dataset.ready = 'true' })
