// The load generator's HTTP: one connection a worker, kept open, from a loopback address of the worker's own.
import http from 'node:http'

/** What one worker calls with: `call(method, url, { headers, body }) → { status, headers, text }`. */
export class Caller {
  #agent
  constructor(worker) {
    // Rates are counted per address: each worker comes from another one, as wallets do.
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: 1, localAddress: `127.0.0.${2 + worker}` })
  }

  call(method, url, { headers = {}, body } = {}) {
    const { hostname, port, pathname, search } = new URL(url)
    return new Promise((resolve, reject) => {
      const host = `${hostname}:${port}`
      const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
      const options = { agent: this.#agent, host: '127.0.0.1', port, method, path: pathname + search }
      const sent = http.request({ ...options, headers: { host, ...length, ...headers } }, (answer) => {
        const chunks = []
        answer.on('data', (chunk) => chunks.push(chunk))
        answer.on('end', () =>
          resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(chunks).toString() }),
        )
        answer.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  async json(method, url, options) {
    const { status, text, headers } = await this.call(method, url, options)
    if (status >= 300) throw new Error(`${method} ${new URL(url).pathname}: ${status} ${text.slice(0, 300)}`)
    return { body: JSON.parse(text), headers }
  }

  close() {
    this.#agent.destroy()
  }
}

export const jsonBody = (value, token) => ({
  headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
  body: JSON.stringify(value),
})

export const formBody = (members) => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(members).toString(),
})
