// The report in a browser. Arguments: a folder of node modules, a Chromium, and `seawall`. With SCREENSHOT, a path, the picture of
// the README is made anew.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [modules, executablePath, program] = process.argv.slice(2);
const seawall = resolve(program);
const require = createRequire(join(resolve(modules), 'x.js'));
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const repository = resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'seawall-report.'));

const WIDE = {viewport: {width: 1280, height: 900}};
const PHONE = {viewport: {width: 390, height: 844}, isMobile: true, deviceScaleFactor: 2};
const MOST_MILLISECONDS = 2000;

const git = (folder, ...words) => execFileSync('git', ['-c', 'user.name=Ana Ruiz', '-c', 'user.email=ana@example.com', ...words], {
  cwd: folder,
  env: {...process.env, GIT_AUTHOR_DATE: '2026-11-04T10:00:00Z', GIT_COMMITTER_DATE: '2026-11-04T10:00:00Z'},
});

const report = (folder, ...words) => {
  execFileSync(seawall, ['report', '--out', join(scratch, 'report.html'), ...words], {cwd: folder, stdio: ['ignore', 'ignore', 'pipe']});
  const html = join(scratch, `${report.count++}.html`);
  cpSync(join(scratch, 'report.html'), html);
  return html;
};
report.count = 0;

// The examples in a repository, with records and a change.
const example = () => {
  const folder = join(scratch, 'policies');
  cpSync(join(repository, 'examples/policies'), folder, {recursive: true, filter: (path) => !path.includes('.seawall')});
  git(folder, 'init', '-q', '-b', 'main');
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'base');
  const file = join(folder, 'teams/research.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"cve.mitre.org:443"', '"attack.mitre.org:443"'));
  const test = join(folder, 'tests/access.yaml');
  writeFileSync(test, readFileSync(test, 'utf8').replace('allow: connect:tcp cve', 'allow: connect:tcp attack'));
  const record = (id, user, resource, decision) => JSON.stringify({
    audit_event_id: id, timestamp: `2026-11-${String(1 + id % 27).padStart(2, '0')}T12:00:00Z`, category: 'AUDIT_CATEGORY_EVALUATION',
    decision: `AUDIT_DECISION_${decision}`, username: user, resource_id: resource, enforcement_mode: 'enforce',
    action_type: 'network_egress', network_egress: {protocol: 'tcp'},
  });
  const records = [];
  for (let id = 1; id <= 60; id += 1) {
    records.push(record(id, `user-${id % 7}`, id % 3 ? 'packages.corp.example:443' : 'cve.mitre.org:443', 'ALLOW'));
  }
  writeFileSync(join(scratch, 'records.jsonl'), records.join('\n'));
  writeFileSync(join(scratch, 'users.yaml'), Array.from({length: 7}, (_, user) => `user-${user}: [research]\n`).join(''));
  return report(folder, '--before', 'main', '--records', join(scratch, 'records.jsonl'), '--teams', join(scratch, 'users.yaml'));
};

const hostile = () => {
  const folder = join(scratch, 'hostile');
  mkdirSync(folder);
  writeFileSync(join(folder, 'seawall.yaml'), 'apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: "<img src=x onerror=pwned()>"}\nvijil: {}\n');
  const names = ['</script><script>pwned()</script>', '"><img src=x onerror=pwned()>', "' autofocus onfocus=pwned() x='", '\u202egnp.exe\u0007', '</style><style>@import "https://example.com/x"'];
  const documents = names.map((name, number) => {
    const text = JSON.stringify(name);
    const told = JSON.stringify(`team ${number} ${name}`);
    return `apiVersion: seawall/v1\nkind: NetworkPolicy\nname: ${text}\nscope: {teams: [${told}]}\nrules:\n  - name: ${text}\n    decision: allow\n    actions: [connect:tcp]\n    resources: ["a${number}.example.com:443"]\n---\n`
      + `apiVersion: seawall/v1\nkind: AccessTest\nname: ${text}\nas: {teams: [${told}]}\nexpect:\n  - allow: connect:tcp a${number}.example.com:443\n---\n`
      + `apiVersion: seawall/v1\nkind: AgentPolicy\nname: ${told}\ncategory: privacy\nsource_text: ${text}\nrules:\n  - rule_id: ${text}\n    rule_type: prohibition\n    action: ${text}\n    consequence: {action: block}\n    natural_language: ${text}\n    review: {approved: ${text}}\n`;
  });
  writeFileSync(join(folder, 'all.yaml'), documents.join('---\n'));
  return report(folder);
};

// As large as the service takes it.
const largest = () => {
  const folder = join(scratch, 'largest');
  mkdirSync(folder);
  writeFileSync(join(folder, 'seawall.yaml'), 'apiVersion: seawall/v1\nkind: Workspace\ndocker: {org: acme}\n');
  for (let policy = 0; policy < 100; policy += 1) {
    const scope = policy % 3 === 0 ? '' : `scope: {teams: [team-${policy % 36}, team-${(policy * 7) % 36 === policy % 36 ? (policy + 1) % 36 : (policy * 7) % 36}]}\n`;
    let text = `apiVersion: seawall/v1\nkind: NetworkPolicy\nname: Policy ${policy}\n${scope}rules:\n`;
    for (let rule = 0; rule < 250; rule += 1) {
      const decision = rule % 9 === 0 ? 'deny' : 'allow';
      text += `  - name: ${decision} service ${rule}\n    decision: ${decision}\n    actions: [connect:tcp]\n    resources: ["service-${rule}.team-${policy}.example.com:443"]\n`;
    }
    writeFileSync(join(folder, `policy-${policy}.yaml`), text);
  }
  return report(folder);
};

const browser = await chromium.launch({executablePath, args: ['--no-sandbox']});

// A page that fails on whatever it should not do.
const open = async (html, options = WIDE, hash = '') => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const wrong = [];
  page.on('console', (message) => wrong.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => { if (request.url().split('#')[0] !== pathToFileURL(html).href) wrong.push(`request: ${request.url()}`); });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
    window.pwned = () => window.violations.push('pwned');
  });
  await page.goto(pathToFileURL(html).href + hash);
  const close = async () => {
    if (options.javaScriptEnabled !== false) assert.deepEqual(await page.evaluate(() => window.violations), []);
    assert.deepEqual(wrong, []);
    await context.close();
  };
  return {page, close};
};

const shown = (page, selector) => page.locator(selector).filter({visible: true}).count();

const checks = {
  async 'opens without a request, an error or a violation'() {
    const {page, close} = await open(examples);
    assert.equal(await page.title(), 'Access report: acme');
    await close();
  },

  async 'axe finds nothing, in light and dark, on a screen and on a phone'() {
    for (const html of [examples, attack]) {
      for (const size of [WIDE, PHONE]) {
        for (const colorScheme of ['light', 'dark']) {
          const {page, close} = await open(html, {...size, colorScheme});
          await page.evaluate(axe);
          const {violations} = await page.evaluate(() => window.axe.run());
          assert.deepEqual(violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`), [], `${colorScheme} ${size.viewport.width}`);
          const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
          assert.ok(wide <= room, `the page is ${wide} wide where there is room for ${room}`);
          await close();
        }
      }
    }
  },

  async 'the search filters as people type, and can be linked'() {
    const {page, close} = await open(examples);
    const before = await shown(page, '.rules > li');
    await page.fill('#q', 'attack.mitre');
    await page.waitForFunction(() => /entr/.test(document.getElementById('hits').textContent));
    assert.ok(before > await shown(page, '.rules > li'));
    assert.equal(await shown(page, '.rules > li'), 1);
    assert.match(page.url(), /#q=attack\.mitre$/);
    await page.fill('#q', '');
    await page.waitForFunction(() => document.getElementById('hits').textContent === '');
    assert.equal(await shown(page, '.rules > li'), before);
    await close();
    const linked = await open(examples, WIDE, '#q=attack.mitre');
    assert.equal(await linked.page.inputValue('#q'), 'attack.mitre');
    assert.equal(await shown(linked.page, '.rules > li'), 1);
    await linked.close();
  },

  async 'the filters of rules work, and say so'() {
    const {page, close} = await open(examples);
    const all = await shown(page, '.rules > li');
    await page.getByRole('button', {name: 'Without a test'}).click();
    assert.equal(await page.getByRole('button', {name: 'Without a test'}).getAttribute('aria-pressed'), 'true');
    const untested = await shown(page, '.rules > li');
    assert.ok(untested > 0 && untested < all, `${untested} of ${all}`);
    await page.getByRole('button', {name: 'All', exact: true}).click();
    assert.equal(await shown(page, '.rules > li'), all);
    await close();
  },

  async 'a link to a rule shows it, also in a closed list'() {
    const {page, close} = await open(huge);
    const id = await page.evaluate(() => document.querySelectorAll('.rules > li')[20000].id);
    assert.equal(await page.evaluate((id) => document.getElementById(id).closest('details').open, id), false);
    await page.evaluate((id) => { location.hash = id; }, id);
    await page.waitForFunction((id) => document.getElementById(id).closest('details').open, id);
    await page.waitForFunction((id) => { const at = document.getElementById(id).getBoundingClientRect(); return at.top >= -1 && at.top < window.innerHeight; }, id);
    await close();
  },

  async 'everything is there without scripts'() {
    const {page, close} = await open(examples, {...WIDE, javaScriptEnabled: false});
    assert.equal(await shown(page, '#q'), 0);
    assert.equal(await shown(page, '.filters'), 0);
    assert.ok(await shown(page, '.rules > li') > 10);
    assert.ok(await shown(page, '.matrix td') > 10);
    await close();
  },

  async 'the keyboard reaches the report, the search and the matrix'() {
    const {page, close} = await open(examples);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    const reached = new Set();
    for (let step = 0; step < 400; step += 1) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.className || document.activeElement.tagName));
    }
    assert.ok(reached.has('scroll') && reached.has('SUMMARY') && reached.has('BUTTON'), [...reached].join());
    await close();
  },

  async 'dark is dark, and paper is light and whole'() {
    const luminance = () => {
      const [red, green, blue] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number);
      return (red + green + blue) / 765;
    };
    const {page, close} = await open(examples, {...WIDE, colorScheme: 'dark'});
    assert.ok(await page.evaluate(luminance) < 0.2);
    await page.emulateMedia({media: 'print'});
    assert.ok(await page.evaluate(luminance) > 0.95);
    assert.equal(await shown(page, 'nav'), 0);
    assert.ok((await page.pdf({format: 'A4', printBackground: true})).length > 20_000);
    await close();
  },

  async 'names of others do nothing'() {
    const {page, close} = await open(attack);
    assert.equal(await page.locator('img').count(), 0);
    assert.equal(await page.locator('script').count(), 1);
    assert.match(await page.locator('h1').textContent(), /<img src=x onerror=pwned\(\)>/);
    assert.ok((await page.locator('main').textContent()).includes('\\u{202e}gnp.exe'));
    await page.fill('#q', '"><img');
    await page.waitForFunction(() => /entr/.test(document.getElementById('hits').textContent));
    await close();
  },

  async 'the largest organization opens in two seconds'() {
    assert.ok(statSync(huge).size < 10_000_000, `${statSync(huge).size} bytes`);
    const times = [];
    for (let run = 0; run < 3; run += 1) {
      const {page, close} = await open(huge);
      times.push(await page.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd));
      await close();
    }
    const best = Math.min(...times);
    console.log(`  ${Math.round(best)} ms, ${(statSync(huge).size / 1e6).toFixed(1)} MB`);
    assert.ok(best < MOST_MILLISECONDS, `${times}`);
  },

  async 'the picture of the README'() {
    if (!process.env.SCREENSHOT) return;
    const {page, close} = await open(examples, {viewport: {width: 1180, height: 720}}, '#matrix');
    await page.screenshot({path: process.env.SCREENSHOT});
    await close();
  },
};

const [examples, attack, huge] = [example(), hostile(), largest()];
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
await browser.close();
rmSync(scratch, {recursive: true, force: true});
process.exitCode = failed === 0 ? 0 : 1;
