// The doors of a peer: node's own HTTP server on a free port of this machine.
import { createServer } from 'node:http'

const BODY_BYTES_MAX = 1024 * 1024

export const json = (body, status = 200) => ({ status, type: 'application/json', body: JSON.stringify(body) })
export const text = (type, body) => ({ status: 200, type, body })

/**
 * Opens the doors: `{ origin, doors, seen, close }`. `doors` maps `METHOD /path` to a function of `{ request, body }` and may be
 * filled later; `seen` counts the calls of each door.
 */
export async function open() {
  const doors = new Map()
  const seen = new Map()
  const server = createServer(async (incoming, outgoing) => {
    const { status, type, body } = await answer(doors, seen, origin(), incoming)
    outgoing.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
  })
  const origin = () => `http://localhost:${server.address().port}`
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { origin: origin(), doors, seen, close: () => new Promise((resolve) => server.close(resolve)) }
}

async function answer(doors, seen, origin, incoming) {
  const url = new URL(incoming.url, origin)
  const door = `${incoming.method} ${url.pathname}`
  seen.set(door, (seen.get(door) ?? 0) + 1)
  const act = doors.get(door)
  if (!act) return json({ error: 'not_found' }, 404)
  try {
    const chunks = []
    let bytes = 0
    for await (const chunk of incoming) {
      bytes += chunk.length
      if (bytes > BODY_BYTES_MAX) throw new Error('the body is too long')
      chunks.push(chunk)
    }
    const request = { method: incoming.method, url: url.href, headers: new Headers(incoming.headers) }
    return await act({ request, body: Buffer.concat(chunks).toString() })
  } catch (error) {
    // The libraries' refusals carry the answer for the wallet.
    return json(error.errorResponse ?? { error: 'invalid_request', error_description: error.message }, error.status ?? 400)
  }
}
