// Whole sign-ins, ours and the peer's, in turns. Usage: node bench.mjs PATH-OF-TESSERA [--rounds 5] [--flows 1500]
// [--peer-flows 600] [--workers 32] [--dpop] [--document] [--per-second N] [--data FOLDER] [--ours]
import os from 'node:os'
import { parseArgs } from 'node:util'
import { Caller } from '../bench-credentials/http.mjs'
import { cpuSeconds, load, medians } from '../bench-credentials/measure.mjs'
import { peopleOf } from './flows.mjs'
import { startOurs, startPeer } from './servers.mjs'

const text = (fallback) => ({ type: 'string', default: fallback })
const flag = { type: 'boolean', default: false }
const { values: told, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: text('5'),
    flows: text('1500'),
    'peer-flows': text('600'),
    workers: text('32'),
    'per-second': text('0'),
    data: text(os.tmpdir()),
    dpop: flag,
    document: flag,
    ours: flag,
  },
})
const workers = Number(told.workers)
const perSecond = Number(told['per-second'])
const scopeOf = (server) => (told.document && server.name === 'tessera' ? 'openid identity:age_over_18' : 'openid')

const servers = [await startOurs(positionals[0], workers, told.data)]
if (!told.ours) servers.push(await startPeer(workers))
const callers = Array.from({ length: workers }, (_, worker) => new Caller(worker))

/** With `--per-second`, each flow waits for its turn; its time runs from there. */
function paced(act) {
  if (perSecond === 0) return act
  const began = performance.now()
  return async (caller, worker, turn) => {
    const wait = began + (turn * 1000) / perSecond - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const start = performance.now()
    await act(caller, worker, turn)
    return performance.now() - start
  }
}

try {
  const how = [told.dpop ? 'DPoP' : 'client secret', ...(told.document ? ['a document is shown to ours'] : [])].join(', ')
  console.log(`node ${process.version}, ${os.cpus().length} × ${os.cpus()[0].model.trim()}, ${workers} workers, ${how}`)
  const people = new Map()
  for (const server of servers) people.set(server, await peopleOf(server, callers, { ...told, scope: scopeOf(server) }))
  const runs = new Map(servers.map((server) => [server, []]))
  // Round 0 warms both and is not counted.
  for (let round = 0; round <= Number(told.rounds); round++) {
    for (const server of servers) {
      const here = people.get(server)
      const count = Number(server.name === 'tessera' ? told.flows : told['peer-flows'])
      const own = cpuSeconds(process.pid)
      const signIn = (caller, worker) => here[worker].shop.signIn(here[worker].approve)
      const run = await load(server.pid, callers, count, paced(signIn))
      run.driver = (cpuSeconds(process.pid) - own) / run.cpu
      report(`round ${round}`, server, run)
      if (round > 0) runs.get(server).push(run)
    }
  }
  const middle = servers.map((server) => medians(runs.get(server)))
  servers.forEach((server, at) => report('median ', server, middle[at]))
  for (const [at, server] of servers.entries()) {
    const rates = runs.get(server).map((run) => run.perCpuSecond)
    console.log(`range    ${server.name.padEnd(13)} ${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)} flows/CPU-s, ${middle[at].driver.toFixed(1)} CPU-s of the driver to one of the server`)
  }
  if (middle.length > 1) console.log(`ratio    ${(middle[0].perCpuSecond / middle[1].perCpuSecond).toFixed(1)}`)
} finally {
  callers.forEach((caller) => caller.close())
  await Promise.all(servers.map((server) => server.end()))
}

function report(when, server, { perCpuSecond, perSecond, p50, p99, rss }) {
  const figures = `${perCpuSecond.toFixed(0).padStart(6)} flows/CPU-s, ${perSecond.toFixed(0)} flows/s`
  const times = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, RSS ${rss.toFixed(0)} MiB`
  console.log(`${when} ${server.name.padEnd(13)} ${figures}, ${times}`)
}
