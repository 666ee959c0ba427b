// The two servers, each a process of its own: `{ name, pid, issuer, …, end() }`.
import { spawn } from 'node:child_process'
import { ended, said, startOurs as start } from '../bench-credentials/servers.mjs'

/** Ours, as `serve --dev` runs it, SQLite with synchronous=FULL in a folder of its own. */
export async function startOurs(binary, workers, folder) {
  const ours = await start(binary, workers, folder)
  const tenant = `${ours.base}/t/default`
  return { ...ours, tenant, issuer: `${tenant}/idp` }
}

/** The peer of `peer.mjs`. */
export async function startPeer(workers) {
  const child = spawn(process.execPath, [new URL('./peer.mjs', import.meta.url).pathname, String(workers)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const told = JSON.parse(await said(child, child.stdout, /^(\{.*\})$/m))
  return { name: 'oidc-provider', pid: child.pid, ...told, renew: async () => {}, end: () => ended(child) }
}
