// Load, and what it cost: `workers` take `count` turns between them; the server's CPU is read from /proc before and after.
import { readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'

const TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK']).toString())

/** CPU seconds of a process, user and system, all its threads (fields 14 and 15 of /proc/PID/stat). */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
}

/** Resident memory of a process, MiB. */
export function residentMib(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
}

/** `act(caller, worker, turn)` `count` times; `{ perCpuSecond, perSecond, p50, p99, rss, cpu }`, times in ms. An `act` that answers a
 * number has measured itself. */
export async function load(pid, callers, count, act) {
  const took = []
  let next = 0
  const [cpu, start] = [cpuSeconds(pid), performance.now()]
  await Promise.all(
    callers.map(async (caller, worker) => {
      while (next < count) {
        const turn = next++
        const began = performance.now()
        const own = await act(caller, worker, turn)
        took.push(typeof own === 'number' ? own : performance.now() - began)
      }
    }),
  )
  const spent = cpuSeconds(pid) - cpu
  const passed = (performance.now() - start) / 1000
  took.sort((a, b) => a - b)
  const at = (part) => took[Math.min(took.length - 1, Math.floor(took.length * part))]
  return {
    perCpuSecond: count / spent,
    perSecond: count / passed,
    p50: at(0.5),
    p99: at(0.99),
    rss: residentMib(pid),
    cpu: spent,
  }
}

/** The median of each member. */
export function medians(runs) {
  const middle = (values) => {
    const sorted = values.toSorted((a, b) => a - b)
    const half = sorted.length >> 1
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
  }
  return Object.fromEntries(Object.keys(runs[0]).map((name) => [name, middle(runs.map((run) => run[name]))]))
}
