// Copies what the page needs of the npm packages into vendor/: `npm install` runs it. Then node_modules is
// needed no more, and the folder can be served by anything, without a network.

import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const FILES = {
  litert: {
    '@litertjs/core/dist': /^index\.js$/,
    '@litertjs/core/wasm': /^litert_wasm_(compat_|jspi_)?internal\.(js|wasm)$/,
    '@litertjs/wasm-utils/dist': /^index\.js$/,
  },
  onnx: {
    'onnxruntime-web/dist': /^ort\.(wasm|webgpu)\.min\.mjs$|^ort-wasm-simd-threaded(\.asyncify)?\.(mjs|wasm)$/,
  },
}
const RENAMED = { '@litertjs/wasm-utils/dist': { 'index.js': 'wasm-utils.js' } }

const here = path => fileURLToPath(new URL(path, import.meta.url))
await rm(here('vendor.unfinished'), { recursive: true, force: true })
for (const [name, folders] of Object.entries(FILES)) {
  for (const [folder, wanted] of Object.entries(folders)) {
    const source = here(`node_modules/${folder}/`)
    const files = await readdir(source).catch(() => [])
    for (const file of files.filter(candidate => wanted.test(candidate))) {
      await mkdir(here(`vendor.unfinished/${name}`), { recursive: true })
      await cp(source + file, here(`vendor.unfinished/${name}/${RENAMED[folder]?.[file] ?? file}`))
    }
  }
}
await rm(here('vendor'), { recursive: true, force: true })
await rename(here('vendor.unfinished'), here('vendor'))
