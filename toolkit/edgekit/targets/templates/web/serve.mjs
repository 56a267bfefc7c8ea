// A server for this folder on this machine alone: `npm start`, or `node serve.mjs PORT`.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('./', import.meta.url))
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.mjs': 'text/javascript',
  '.json': 'application/json', '.wasm': 'application/wasm',
}

const server = createServer(async (request, response) => {
  const asked = decodeURIComponent(new URL(request.url, 'http://localhost').pathname)
  const path = normalize(join(FOLDER, asked.endsWith('/') ? `${asked}index.html` : asked))
  const found = path.startsWith(FOLDER) && (await stat(path).catch(() => null))
  if (!found || !found.isFile() || path.split(sep).includes('node_modules')) {
    response.writeHead(404).end('not here\n')
    return
  }
  response.writeHead(200, {
    'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
    'Content-Length': found.size,
    // With these two, onnxruntime-web may use threads; any server of the finished page may send them.
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  })
  createReadStream(path).pipe(response)
})
server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})
