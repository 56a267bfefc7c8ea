// An .onnx file by onnxruntime-web, on the processor (WASM) or by WebGPU.

/** The runtime, of the build that a processor needs. */
async function runtime(processor) {
  const ort = await import(processor === 'webgpu' ? 'onnxruntime-web/webgpu' : 'onnxruntime-web')
  ort.env.wasm.wasmPaths = new URL('./vendor/onnx/', import.meta.url).href
  return ort
}

/** Opens a file; `run` takes and gives `{data, shape}` by name, in the file's own types. */
export async function openOnnx(content, file, processor, weights) {
  const ort = await runtime(processor)
  const session = await ort.InferenceSession.create(content, {
    executionProviders: [processor],
    ...(weights && { externalData: [{ path: file.data.file, data: weights }] }),
  })
  return {
    placement: processor === 'webgpu' ? 'WebGPU, else WASM' : 'WASM',
    async run(inputs) {
      const feeds = {}
      for (const end of file.inputs) {
        const { data, shape } = inputs[end.name]
        feeds[end.name] = new ort.Tensor(end.dtype, data, shape)
      }
      const got = await session.run(feeds)
      const outputs = {}
      for (const end of file.outputs) {
        outputs[end.name] = { data: await got[end.name].getData(), shape: [...got[end.name].dims] }
      }
      return outputs
    },
    close: () => session.release(),
  }
}
