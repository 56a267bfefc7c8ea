// A .tflite file by LiteRT.js, on the processor (WASM) or by WebGPU.

import { Tensor, loadLiteRt } from '@litertjs/core'
import { arrayOf, count } from './tensors.js'

const ELEMENTS = {
  float32: 1, int32: 2, uint8: 3, int64: 4, bool: 6, int16: 7, int8: 9, float64: 11, uint64: 13,
  uint32: 16, uint16: 17,
}
const KNOWN = ['float32', 'int32', 'uint8'] // the types of LiteRT.js' own Tensor

let loading = null

/** The runtime, once: with JSPI where WebGPU is, which leaves operators to WASM only by it. */
async function runtime() {
  loading ??= (async () => {
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null)
    globalThis.Module = { printErr: text => console.debug(text) } // its log, which is no error
    const jspi = Boolean(adapter) && 'Suspending' in WebAssembly
    return loadLiteRt(new URL('./vendor/litert/', import.meta.url).href, { jspi })
  })()
  return loading
}

/** Opens a file; `run` takes and gives `{data, shape}` by name, in the file's own types. */
export async function openTflite(content, file, processor) {
  const litert = await runtime()
  const types = [...file.inputs, ...file.outputs].map(end => end.dtype)
  if (types.every(type => KNOWN.includes(type))) return openKnown(litert, content, file, processor)
  if (processor !== 'wasm') {
    throw new Error(`LiteRT.js runs files with ends of ${[...new Set(types)].join(', ')} by WASM only`)
  }
  return openOther(litert, content, file)
}

async function openKnown(litert, content, file, processor) {
  const model = await litert.loadAndCompile(content, { accelerator: processor })
  const order = ordered(file, model.getInputDetails().map(d => d.name), model.getOutputDetails().map(d => d.name))
  return {
    placement: processor === 'webgpu' ? (model.isFullyAccelerated ? 'WebGPU' : 'WebGPU and WASM') : 'WASM',
    async run(inputs) {
      const given = order.inputs.map(end => new Tensor(inputs[end.name].data, inputs[end.name].shape))
      let got = []
      try {
        got = await model.run(given)
        const outputs = {}
        for (const [at, end] of order.outputs.entries()) {
          outputs[end.name] = { data: await got[at].data(), shape: [...got[at].type.layout.dimensions] }
        }
        return outputs
      } finally {
        for (const tensor of [...given, ...got]) tensor.delete()
      }
    },
    close: () => model.delete(),
  }
}

// LiteRT.js 2.5.3 has no Tensor of int8, int16, int64: its WebAssembly module, which is public, takes them.
async function openOther(litert, content, file) {
  const wasm = litert.liteRtWasm
  const environment = litert.getDefaultEnvironment()
  const pointer = wasm._malloc(content.byteLength)
  wasm.HEAPU8.set(content, pointer)
  const model = wasm.loadModel(environment.liteRtEnvironment, pointer, content.byteLength)
  const options = { environment, accelerator: 'wasm', cpuOptions: { numThreads: 1 }, gpuOptions: {}, webNNOptions: {} }
  const compiled = await wasm.compileModel(environment.liteRtEnvironment, model, options)
  const signature = model.getSignature(0)
  const order = ordered(file, listed(signature.inputNames()), listed(signature.outputNames()))
  return {
    placement: 'WASM',
    async run(inputs) {
      const given = order.inputs.map(end => bufferOf(wasm, environment, inputs[end.name], end.dtype))
      const got = await compiled.run(0, given)
      const outputs = {}
      for (const [at, end] of order.outputs.entries()) {
        const start = got[at].lock(wasm.LiteRtTensorBufferLockMode.READ)
        const bytes = wasm.HEAPU8.slice(start, start + got[at].packedSize())
        got[at].unlock()
        outputs[end.name] = { data: new (arrayOf(end.dtype))(bytes.buffer), shape: end.shape }
      }
      for (const buffer of [...given, ...got]) buffer.delete()
      return outputs
    },
    close() {
      compiled.delete()
      model.delete()
      wasm._free(pointer)
    },
  }
}

/** A tensor in WebAssembly's memory. */
function bufferOf(wasm, environment, { data, shape }, dtype) {
  const sizes = new wasm.VectorInt32()
  for (const n of shape) sizes.push_back(n)
  const layout = wasm.LiteRtLayout.create(sizes)
  const type = wasm.LiteRtRankedTensorType.create({ value: ELEMENTS[dtype] }, layout)
  const buffer = wasm.LiteRtTensorBuffer.createManaged(
    environment.liteRtEnvironment, wasm.LiteRtTensorBufferType.HOST_MEMORY, type,
    count(shape) * data.BYTES_PER_ELEMENT,
  )
  const start = buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE)
  wasm.HEAPU8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start)
  buffer.unlock()
  for (const part of [sizes, layout, type]) part.delete()
  return buffer
}

function listed(vector) {
  const names = Array.from({ length: vector.size() }, (_, at) => vector.get(at))
  vector.delete()
  return names
}

/** The ends in the order in which LiteRT has them: by name, or where it knows others, as the file has them. */
function ordered(file, inputNames, outputNames) {
  const sorted = (ends, names) => {
    const byName = names.map(name => ends.find(end => end.name === name))
    return byName.every(Boolean) ? byName : ends
  }
  return { inputs: sorted(file.inputs, inputNames), outputs: sorted(file.outputs, outputNames) }
}
