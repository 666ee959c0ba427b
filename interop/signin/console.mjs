// Chromium on the operator's console: link, passkey, every page, by keyboard, without a script, and as people with other eyes meet it.
// Usage: node console.mjs PATH-OF-TESSERA
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { startHouse } from './house.mjs'
import { atEnd, authenticator, checks, closeAll, openChromium, openProfile } from './screen.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const done = checks()
const { check } = done

/** The pages of the list; those of one object are found by their links. */
const PAGES = [
  '/console', '/console/relying-parties', '/console/enrolments', '/console/enrolments?state=waiting', '/console/signins',
  '/console/signins?range=90d&outcome=approved', '/console/relay', '/console/privacy', '/console/ledger', '/console/tenants',
  '/console/passkeys',
]

/** Faults of accessibility (WCAG 2.2 A and AA) that axe finds. */
async function faultsOf(page) {
  await page.evaluate(AXE)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const found = await page.evaluate((values) => window.axe.run({ runOnly: { type: 'tag', values } }), tags)
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`)
}

/** Goes to every page of the console, and to one of each object; `look` looks at each. */
async function walk(house, page, look) {
  const seen = [...PAGES]
  for (const list of ['relying-parties', 'enrolments']) {
    await page.goto(`${house.demo.urls.public}/console/${list}`)
    const one = page.locator(`main table a[href^="/console/${list}/"]`).first()
    if (await one.count()) seen.push(await one.getAttribute('href'))
  }
  for (const path of seen) {
    const answer = await page.goto(`${house.demo.urls.public}${path}`)
    assert.equal(answer.status(), 200, path)
    await look(path)
  }
  return seen.length
}

/** Presses Tab until the named thing has the focus. */
async function tabTo(page, name) {
  for (let turn = 0; turn < 80; turn += 1) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate(() => {
      const at = document.activeElement
      const ring = at && getComputedStyle(at)
      return { text: (at?.getAttribute('aria-label') ?? at?.textContent ?? '').trim(), tag: at?.tagName, ring: ring?.outlineStyle }
    })
    if (focused.text === name) {
      assert.notEqual(focused.ring, 'none', `the focus on ${name} is seen`)
      return
    }
  }
  throw new Error(`the keyboard never reached ${name}`)
}

/** A one-time link for another owner of the instance, made by one who is in. */
async function anotherLink(house, session) {
  const answer = await fetch(`${house.demo.urls.public}/api/v1/operators`, {
    method: 'POST',
    headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'another owner', role: 'owner' }),
  })
  const made = await answer.json()
  assert.equal(answer.status, 201, JSON.stringify(made))
  return made.link
}

async function actIn(page, tenant) {
  await page.getByLabel('Act in the tenant named').fill(tenant)
  await page.getByRole('button', { name: 'Go there' }).click()
  await page.getByText(`tenant ${tenant}`).waitFor()
}

async function run(house, chromium) {
  const base = house.demo.urls.public
  const tenant = new URL(house.tenant).pathname.split('/').pop()
  const { context, faults } = await openProfile(chromium)
  const page = await context.newPage()

  await check('the link of the demo opens the console once', async () => {
    await page.goto(house.demo.urls.console_once)
    await page.getByRole('heading', { name: 'One-time link' }).waitFor()
    await page.getByRole('button', { name: 'Open the session' }).click()
    await page.waitForURL(`${base}/console`)
    const again = await page.goto(house.demo.urls.console_once)
    assert.equal(again.status(), 410)
  })
  // The owner who is in makes links for the others of this run: by the same session, which is a bearer text to programs.
  const [cookie] = (await context.cookies()).filter(({ name }) => name === '__Host-tessera_console')
  await check('its cookie is out of reach of scripts and other sites', () => {
    assert.ok(cookie.httpOnly && cookie.secure)
    assert.equal(cookie.sameSite, 'Lax')
  })
  const link = () => anotherLink(house, cookie.value)

  await check('a passkey is added, and opens the console after a logout', async () => {
    const keys = await authenticator(page)
    await page.goto(`${base}/console/passkeys`)
    await page.getByLabel('What you call it').fill('virtual authenticator')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByRole('rowheader', { name: 'virtual authenticator' }).waitFor()
    const [passkey, ...others] = await keys.credentials()
    assert.equal(others.length, 0)
    assert.equal(passkey.rpId, 'localhost')
    assert.ok(passkey.isResidentCredential)
    const other = await (await openProfile(chromium)).context.newPage()
    await other.goto(await link())
    await other.getByRole('button', { name: 'Open the session' }).click()
    const [kept] = (await other.context().cookies()).filter(({ name }) => name === '__Host-tessera_console')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.waitForURL(`${base}/console/sign-in`)
    await page.goto(`${base}/console/signins?range=90d`)
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.waitForURL(`${base}/console/signins?range=90d`)
    const [fresh] = (await context.cookies()).filter(({ name }) => name === '__Host-tessera_console')
    assert.notEqual(fresh.value, cookie.value, 'another session')
    cookie.value = kept.value
    await other.context().close()
  })
  await check('a removed passkey opens nothing, and the page says so', async () => {
    await page.goto(`${base}/console/passkeys`)
    await page.getByRole('button', { name: 'Remove virtual authenticator' }).click()
    await page.getByText('You have none yet.').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByRole('heading', { name: 'the passkey was not accepted' }).waitFor()
  })
  await check('every page shows what the demo left, in the tenant that was chosen', async () => {
    await page.goto(await link())
    await page.getByRole('button', { name: 'Open the session' }).click()
    await actIn(page, tenant)
    const walked = await walk(house, page, async () => {
      assert.equal(await page.locator('h1').count(), 1)
      assert.equal(await page.locator('nav [aria-current="page"]').count(), 1)
    })
    assert.ok(walked >= PAGES.length + 2, 'a service and a device have a page each')
    await page.goto(`${base}/console/signins`)
    assert.ok((await page.locator('svg rect.approved').count()) > 0, 'approved sign-ins are drawn')
    await page.goto(`${base}/console/ledger`)
    assert.ok((await page.locator('main details').count()) > 0, 'checkpoints are listed')
    assert.match(await page.locator('pre').first().textContent(), /^tessera verify log http:.* --vkey '[^']+' --bearer-file token\.txt$/)
  })
  await check('its policy stopped nothing, and its script failed nowhere', () => assert.deepEqual(faults, []))

  for (const [name, options] of [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['320 pixels wide', { viewport: { width: 320, height: 640 } }],
    ['320 pixels wide and dark', { colorScheme: 'dark', viewport: { width: 320, height: 640 } }],
  ]) {
    await check(`nothing on the pages keeps anybody out: ${name}`, async () => {
      const { context, faults } = await openProfile(chromium, options)
      const tab = await context.newPage()
      const looked = async (path) => {
        assert.deepEqual(await faultsOf(tab), [], path)
        const [inner, whole] = await tab.evaluate(() => [innerWidth, document.documentElement.scrollWidth])
        assert.ok(whole <= inner, `${path}: ${whole} px on ${inner} px`)
      }
      for (const path of ['/console/sign-in', '/once/x', '/problems', '/problems/console/form-token', '/console/sign-in?return=//x']) {
        await tab.goto(`${base}${path}`)
        await looked(path)
      }
      const once = await link()
      await tab.goto(once)
      await looked('the page of a link')
      await tab.getByRole('button', { name: 'Open the session' }).click()
      await looked('/console of the instance')
      await actIn(tab, tenant)
      await walk(house, tab, looked)
      assert.deepEqual(faults, [])
      await context.close()
    })
  }

  await check('one journey by the keyboard alone: in, another tenant, a page, out', async () => {
    const { context } = await openProfile(chromium)
    const tab = await context.newPage()
    await tab.goto(await link())
    await tabTo(tab, 'Open the session')
    await tab.keyboard.press('Enter')
    await tab.waitForURL(`${base}/console`)
    await tab.keyboard.press('Tab')
    await tab.keyboard.press('Enter')
    assert.equal(new URL(tab.url()).hash, '#main', 'the first stop skips to the content')
    await tab.keyboard.press('Tab')
    await tab.keyboard.type(tenant)
    await tab.keyboard.press('Enter')
    await tab.getByText(`tenant ${tenant}`).waitFor()
    await tabTo(tab, 'Relying parties')
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'Relying parties' }).waitFor()
    await tabTo(tab, 'Sign out')
    await tab.keyboard.press('Enter')
    await tab.getByRole('heading', { name: 'Sign in to the console' }).waitFor()
    await context.close()
  })

  await check('without a script every page is there, a device is revoked, and passkeys say what they need', async () => {
    const { context, faults } = await openProfile(chromium, { javaScriptEnabled: false })
    const quiet = await context.newPage()
    await quiet.goto(`${base}/console/sign-in`)
    assert.equal(await quiet.getByRole('button').count(), 0)
    // Chromium shows what stands in noscript only where scripts are off for good; here the page must bring it.
    assert.match(await quiet.content(), /Passkeys need JavaScript; one-time links do not/)
    await quiet.goto(await link())
    await quiet.getByRole('button', { name: 'Open the session' }).click()
    await actIn(quiet, tenant)
    await walk(house, quiet, async () => {
      assert.equal(await quiet.locator('h1').count(), 1)
    })
    await quiet.goto(`${base}/console/enrolments?state=active`)
    await quiet.locator('main table a').first().click()
    await quiet.getByLabel('Why').selectOption('lost_device')
    await quiet.getByRole('button', { name: 'Revoke the device for ever' }).click()
    await quiet.getByText('Revoked').first().waitFor()
    assert.equal(await quiet.getByRole('button', { name: 'Revoke the device for ever' }).count(), 0)
    await quiet.getByRole('button', { name: 'Sign out' }).click()
    await quiet.getByRole('heading', { name: 'Sign in to the console' }).waitFor()
    assert.deepEqual(faults, [])
    await context.close()
  })
}

const house = await startHouse(process.argv[2])
atEnd(() => house.stop())
try {
  await run(house, await openChromium())
  console.log(`${done.passed} checks passed`)
} finally {
  await closeAll()
}
