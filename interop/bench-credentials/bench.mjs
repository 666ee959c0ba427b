// Whole HTTP flows, ours and the peer's, in turns. Usage: node bench.mjs PATH-OF-TESSERA [--rounds 5] [--flows 2000]
// [--peer-flows 400] [--workers 16] [--data FOLDER] [--only issue|present] [--ours]
import os from 'node:os'
import { parseArgs } from 'node:util'
import { holdings, issue, present } from './flows.mjs'
import { Caller } from './http.mjs'
import { load, medians } from './measure.mjs'
import { startOurs, startPeer } from './servers.mjs'

const text = (fallback) => ({ type: 'string', default: fallback })
const { values: told, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: text('5'),
    flows: text('2000'),
    'peer-flows': text('400'),
    workers: text('16'),
    data: text(os.tmpdir()),
    only: text(''),
    ours: { type: 'boolean', default: false },
  },
})
const workers = Number(told.workers)
const HELD = 64

const servers = [await startOurs(positionals[0], workers, told.data)]
if (!told.ours) servers.push(await startPeer())
const callers = Array.from({ length: workers }, (_, worker) => new Caller(worker))
const flows = {
  issue: (server) => (caller, worker) => issue(server, caller, worker),
  present: (server, held) => (caller, worker, turn) => present(server, caller, worker, held[turn % held.length]),
}
const wanted = Object.keys(flows).filter((name) => !told.only || name === told.only)

try {
  console.log(`node ${process.version}, ${os.cpus().length} × ${os.cpus()[0].model.trim()}, ${workers} workers`)
  const held = new Map()
  for (const server of servers) held.set(server, await holdings(server, callers[0], HELD))
  const runs = new Map()
  // Round 0 warms both and is not counted.
  for (let round = 0; round <= Number(told.rounds); round++) {
    for (const server of servers) {
      await server.renew()
      for (const name of wanted) {
        const count = Number(server.name === 'tessera' ? told.flows : told['peer-flows'])
        const run = await load(server.pid, callers, count, flows[name](server, held.get(server)))
        report(`round ${round}`, name, server, run)
        if (round > 0) runs.set(`${name} ${server.name}`, [...(runs.get(`${name} ${server.name}`) ?? []), run])
      }
    }
  }
  for (const name of wanted) {
    const middle = servers.map((server) => medians(runs.get(`${name} ${server.name}`)))
    servers.forEach((server, at) => report('median ', name, server, middle[at]))
    if (middle.length > 1) console.log(`ratio    ${name}: ${(middle[0].perCpuSecond / middle[1].perCpuSecond).toFixed(1)}`)
  }
} finally {
  callers.forEach((caller) => caller.close())
  await Promise.all(servers.map((server) => server.end()))
}

function report(when, name, server, { perCpuSecond, perSecond, p50, p99, rss }) {
  const figures = `${perCpuSecond.toFixed(0).padStart(6)} flows/CPU-s, ${perSecond.toFixed(0)} flows/s`
  const times = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, RSS ${rss.toFixed(0)} MiB`
  console.log(`${when} ${name.padEnd(8)} ${server.name.padEnd(9)} ${figures}, ${times}`)
}
