// What every walk over pages asks of each: nothing keeps anybody out (axe), nothing runs off the screen.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** How pages are met: colours, a narrow screen, and a screen of 1,280 pixels on which everything is twice as large. */
export const VIEWS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['320 pixels wide', { viewport: { width: 320, height: 640 } }],
  ['320 pixels wide and dark', { colorScheme: 'dark', viewport: { width: 320, height: 640 } }],
  ['200 %', { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
]

/** Fails where axe finds a fault (WCAG 2.2 A and AA), or where the page is wider than its window. */
export async function keepsNobodyOut(page, where) {
  await page.evaluate(AXE)
  const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: 'tag', values } }), TAGS)
  const faults = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`)
  assert.deepEqual(faults, [], where)
  const [inner, whole] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth])
  assert.ok(whole <= inner, `${where}: ${whole} px on ${inner} px`)
}
