// The model of this folder: opens its files, runs them on real numbers or images, and tests itself.
//
//   import { openBundle } from './model.js'
//   const bundle = await openBundle()
//   const model = await bundle.open()
//   const { digit } = await model.classify(imageFile)

import { answer } from './answers.js'
import { preprocess } from './preprocess.js'
import { arrayOf, count, toFile, toReal } from './tensors.js'

const OPENERS = {
  tflite: async (...given) => (await import('./litert.js')).openTflite(...given),
  onnx: async (...given) => (await import('./onnx.js')).openOnnx(...given),
}

/** Reads the folder's list, `bundle.json`. */
export async function openBundle(folder = new URL('./', import.meta.url)) {
  const info = JSON.parse(new TextDecoder().decode(await read(new URL('bundle.json', folder))))
  return new Bundle(folder, info)
}

/** What there is to run on: `wasm` always, `webgpu` where the browser finds an adapter. */
export async function processors() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null)
  return adapter ? ['wasm', 'webgpu'] : ['wasm']
}

class Bundle {
  constructor(folder, info) {
    this.folder = folder
    this.info = info
  }

  /** Opens one of the files on a processor: the first, on the processor by WASM, unless told otherwise. */
  async open(name = this.info.files[0].file, processor = 'wasm') {
    const file = this.info.files.find(f => f.file === name)
    if (!file) throw new Error(`${name}: this folder has ${this.info.files.map(f => f.file).join(', ')}`)
    const content = await read(new URL(file.file, this.folder), file)
    const weights = file.data ? await read(new URL(file.data.file, this.folder), file.data) : null
    try {
      return new Model(this, file, await OPENERS[file.format](content, file, processor, weights))
    } catch (error) {
      throw new Error(`${name} cannot be opened by ${processor}: ${error?.message ?? error}`, { cause: error })
    }
  }

  /** The golden samples: inputs, and each file's outputs, as `{data, shape}` by name. */
  async golden() {
    const listed = this.info.golden
    if (!listed) return null
    this.goldenBytes ??= await read(new URL(listed.file, this.folder), listed)
    const array = ({ dtype, shape, offset }) => {
      const Kind = arrayOf(dtype)
      const start = this.goldenBytes.byteOffset + offset
      return { data: new Kind(this.goldenBytes.buffer.slice(start, start + count(shape) * Kind.BYTES_PER_ELEMENT)), shape }
    }
    const arrays = entries => Object.fromEntries(Object.entries(entries).map(([name, of]) => [name, array(of)]))
    return {
      samples: listed.samples,
      inputs: arrays(listed.inputs),
      outputs: Object.fromEntries(Object.entries(listed.outputs).map(([file, of]) => [file, arrays(of)])),
    }
  }
}

class Model {
  constructor(bundle, file, opened) {
    this.bundle = bundle
    this.file = file
    this.opened = opened
  }

  get placement() {
    return this.opened.placement
  }

  /**
   * Runs samples, however many: `{data, shape}` by input name, the samples along the first axis.
   * Takes and gives real numbers also where the file has integers.
   */
  async run(inputs) {
    for (const { name } of this.file.inputs) {
      if (!inputs[name]) throw new Error(`${this.file.file} also needs the input ${name}`)
    }
    const samples = inputs[this.file.inputs[0].name].shape[0]
    const size = this.file.inputs[0].shape[0] ?? samples
    const parts = []
    for (let start = 0; start < samples; start += size) {
      const given = {}
      for (const end of this.file.inputs) {
        const part = rows(inputs[end.name], start, size)
        given[end.name] = { data: toFile(part.data, end), shape: part.shape }
      }
      parts.push(await this.opened.run(given))
    }
    const outputs = {}
    for (const end of this.file.outputs) {
      outputs[end.name] = joined(parts.map(part => part[end.name]), samples, end)
    }
    return outputs
  }

  /** Runs one image, or one sample by input name: of each output what it means, see answers.js. */
  async classify(sample) {
    const image = this.bundle.info.preprocessing[0]
    let inputs = sample
    if (sample instanceof Blob || sample instanceof ImageData || sample instanceof ImageBitmap) {
      if (!image) throw new Error('this model takes numbers, not an image')
      const data = await preprocess(sample, image)
      const channels = data.length / (image.height * image.width)
      inputs = { [image.input]: { data, shape: [1, image.height, image.width, channels] } }
    }
    const outputs = await this.run(inputs)
    return Object.fromEntries(Object.entries(outputs).map(([name, output]) => {
      const meaning = this.bundle.info.postprocessing.find(of => of.output === name)
      return [name, answer(output, meaning, this.bundle.info.labels)]
    }))
  }

  /** Replays the golden samples: of each output how far it is from what the converting machine got. */
  async selfTest() {
    const golden = await this.bundle.golden()
    if (!golden) return null
    const outputs = await this.run(golden.inputs)
    const results = this.file.outputs.map(({ name }) => {
      const { tolerance } = this.bundle.info.golden.outputs[this.file.file][name]
      return { output: name, tolerance, ...compared(outputs[name], golden.outputs[this.file.file][name], tolerance) }
    })
    return { samples: golden.samples, passed: results.every(result => result.passed), results }
  }

  close() {
    this.opened.close()
  }
}

function compared(got, wanted, tolerance) {
  if (got.data.length !== wanted.data.length) {
    return { passed: false, values: wanted.data.length, identical: 0, largest: Infinity }
  }
  let identical = 0
  let largest = 0
  for (let i = 0; i < wanted.data.length; i++) {
    const [one, other] = [Number(got.data[i]), Number(wanted.data[i])]
    if (Object.is(one, other) || one === other) identical += 1
    else largest = Math.max(largest, Number.isNaN(one - other) ? Infinity : Math.abs(one - other))
  }
  return { passed: largest <= tolerance, values: wanted.data.length, identical, largest }
}

/** So many samples from the first on; the last again where there are not enough. */
function rows({ data, shape }, first, size) {
  const each = count(shape.slice(1))
  const part = new data.constructor(size * each)
  for (let at = 0; at < size; at++) {
    const row = Math.min(first + at, shape[0] - 1)
    part.set(data.subarray(row * each, (row + 1) * each), at * each)
  }
  return { data: part, shape: [size, ...shape.slice(1)] }
}

function joined(parts, samples, end) {
  const shape = [samples, ...parts[0].shape.slice(1)]
  const each = count(shape.slice(1))
  const data = new parts[0].data.constructor(samples * each)
  let at = 0
  for (const part of parts) {
    const kept = part.data.subarray(0, Math.min(part.data.length, data.length - at))
    data.set(kept, at)
    at += kept.length
  }
  return { data: toReal(data, end), shape }
}

/** A file of the folder, whole: held against its hash where the browser offers hashes (https, localhost). */
async function read(url, listed) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`)
  const content = new Uint8Array(await response.arrayBuffer())
  if (listed?.sha256 && globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', content))
    const hash = Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('')
    if (hash !== listed.sha256) throw new Error(`${url} is not the file that was exported: its hash differs`)
  }
  return content
}
