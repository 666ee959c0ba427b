// How far the served checkpoint lags behind under load, and how fast `POST sign` is; ours alone, as the peer has neither.
// Usage: node ledger.mjs PATH-OF-TESSERA [--rounds 5] [--flows 2000] [--signatures 5000] [--workers 16] [--data FOLDER]
import os from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { issue } from './flows.mjs'
import { Caller, jsonBody } from './http.mjs'
import { load, medians } from './measure.mjs'
import { startOurs } from './servers.mjs'

const text = (fallback) => ({ type: 'string', default: fallback })
const { values: told, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: text('5'),
    flows: text('2000'),
    signatures: text('5000'),
    workers: text('16'),
    data: text(os.tmpdir()),
  },
})
const POLL_MS = 10
const SAMPLE_EVERY = 10
const BATCH = 64

const workers = Number(told.workers)
const server = await startOurs(positionals[0], workers, told.data)
const callers = Array.from({ length: workers }, (_, worker) => new Caller(worker))
const watcher = new Caller(workers)
const api = async (method, path, body) => {
  const options = body ? jsonBody(body, server.owner()) : { headers: { authorization: `Bearer ${server.owner()}` } }
  return (await watcher.json(method, `${server.base}/api/v1${path}`, options)).body
}

/** Issues under load while the checkpoint is fetched every few milliseconds; lags in ms, sorted. */
async function lags(count) {
  const { token } = await api('POST', '/ledger/tokens', { name: 'bench', ttl_s: 3600 })
  const [seen, answered] = [[], []]
  let loading = true
  const watch = async () => {
    for (let late = 0; late < 2_000 / POLL_MS; late += loading ? 0 : 1) {
      const asked = { headers: { authorization: `Bearer ${token}` } }
      const { text: note, status } = await watcher.call('GET', `${server.base}/log/t/default/checkpoint`, asked)
      if (status === 200) seen.push({ at: performance.now(), size: Number(note.split('\n')[1]) })
      await sleep(POLL_MS)
    }
  }
  const watching = watch()
  const run = await load(server.pid, callers, count, async (caller, worker, turn) => {
    const { offered } = await issue(server, caller, worker)
    if (turn % SAMPLE_EVERY === 0) answered.push(offered)
  })
  loading = false
  await watching
  const found = []
  for (const { event, at } of answered) {
    const { index } = await api('GET', `/ledger/events/${event}`)
    found.push(seen.find((checkpoint) => checkpoint.size > index).at - at)
  }
  found.sort((a, b) => a - b)
  const at = (part) => found[Math.min(found.length - 1, Math.floor(found.length * part))]
  return { p50: at(0.5), p99: at(0.99), max: found.at(-1), flows: run.perSecond }
}

/** Signs by `POST sign`, `items` at a time. */
async function signing(key, count, items) {
  const one = (turn) => ({ format: 'jws', typ: 'specimen+jwt', payload: { amount: '25.00', number: turn } })
  const body = (turn) => (items === 1 ? one(turn) : { items: Array.from({ length: items }, () => one(turn)) })
  const path = `${server.base}/api/v1/keys/${key}/sign`
  const run = await load(server.pid, callers, Math.ceil(count / items), async (caller, worker, turn) => {
    await caller.json('POST', path, jsonBody(body(turn), server.token(worker)))
  })
  return { perCpuSecond: run.perCpuSecond * items, perSecond: run.perSecond * items, p50: run.p50, p99: run.p99 }
}

try {
  console.log(`node ${process.version}, ${os.cpus().length} × ${os.cpus()[0].model.trim()}, ${workers} workers`)
  const { id: key } = await api('POST', '/keys', { alg: 'p256', label: 'bench', uses: ['jws:*'] })
  const runs = { lag: [], 'sign 1': [], [`sign ${BATCH}`]: [] }
  // Round 0 warms and is not counted.
  for (let round = 0; round <= Number(told.rounds); round++) {
    await server.renew()
    const figures = {
      lag: await lags(Number(told.flows)),
      'sign 1': await signing(key, Number(told.signatures), 1),
      [`sign ${BATCH}`]: await signing(key, Number(told.signatures) * 2, BATCH),
    }
    for (const [name, run] of Object.entries(figures)) {
      report(`round ${round}`, name, run)
      if (round > 0) runs[name].push(run)
    }
  }
  for (const [name, list] of Object.entries(runs)) report('median ', name, medians(list))
} finally {
  ;[watcher, ...callers].forEach((caller) => caller.close())
  await server.end()
}

function report(when, name, run) {
  const figures = Object.entries(run).map(([what, value]) => `${what} ${value.toFixed(what.startsWith('p') && value < 1000 ? 1 : 0)}`)
  console.log(`${when} ${name.padEnd(8)} ${figures.join(', ')}`)
}
