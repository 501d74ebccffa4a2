(() => {
  'use strict';
  const $ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const box = document.getElementById('q');
  const hits = document.getElementById('hits');
  const form = box.form;
  form.hidden = false;
  for (const group of $('.filters')) group.hidden = false;

  // What is searched: each entry of a list, each row of the matrix. The text is read once, when somebody searches.
  let entries = null;
  const index = () => entries ??= $('.g li, .dense, .lines li, .rules > li, .tests > li, .cards > li, .finds > li, .doubts li, .plain li, .matrix tr[data-s]')
    .map((element) => {
      const group = element.closest('.g, .policy, .audience, .trail');
      const head = group?.querySelector('h5, summary, h3')?.textContent ?? '';
      const audience = element.closest('.audience')?.querySelector('h3')?.textContent ?? '';
      return {element, text: `${element.textContent} ${head} ${audience}`.toLowerCase()};
    });

  let kind = '';
  const visible = (element) => !element.hidden;
  const isOfKind = (element) => kind === '' || !element.matches('.rules > li')
    || (kind === 'untested' ? element.querySelector('u') !== null : (element.dataset.k ?? '').split(' ').includes(kind));

  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filtering = words.length > 0 || kind !== '';
    if (!filtering && !entries) return;
    let found = 0;
    for (const {element, text} of index()) {
      const wanted = words.every((word) => text.includes(word)) && isOfKind(element);
      element.hidden = !wanted;
      if (wanted) found += 1;
    }
    for (const group of $('.g, .policy, .audience, .trail, .matrix tbody')) {
      const items = $('li[data-s], .g li, .dense, .rules > li, .lines li, .cards > li, tr[data-s]', group);
      const own = group.matches('.g') ? $('li', group) : items;
      group.hidden = filtering && own.length > 0 && !own.some(visible);
    }
    for (const details of $('details.policy')) {
      if (filtering && !details.hidden && !details.open) {
        details.dataset.searched = '';
        details.open = true;
      } else if (!filtering && 'searched' in details.dataset) {
        details.removeAttribute('data-searched');
        details.open = false;
      }
    }
    hits.textContent = words.length > 0 ? `${found} ${found === 1 ? 'entry' : 'entries'}` : '';
  };

  let waiting = 0;
  box.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const value = box.value.trim();
      history.replaceState(null, '', value === '' ? location.pathname + location.search : `#q=${encodeURIComponent(value)}`);
      apply();
    }, 80);
  });
  form.addEventListener('submit', (event) => event.preventDefault());

  for (const button of $('.filters button')) {
    button.addEventListener('click', () => {
      kind = button.dataset.f;
      for (const other of $('.filters button')) other.setAttribute('aria-pressed', String(other.dataset.f === kind));
      apply();
    });
  }

  // A link to a rule opens what holds it; a link to a search fills the box.
  const follow = () => {
    const hash = location.hash.slice(1);
    if (hash.startsWith('q=')) {
      try { box.value = decodeURIComponent(hash.slice(2)); } catch { return; }
      apply();
      return;
    }
    const target = hash && document.getElementById(hash);
    if (!target) return;
    if (target.closest('[hidden]')) {
      box.value = '';
      kind = '';
      apply();
    }
    const details = target.closest('details');
    if (details) details.open = true;
    target.scrollIntoView();
  };
  addEventListener('hashchange', follow);
  follow();

  // Paper shows everything.
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = $('details:not([open])');
    for (const details of closed) details.open = true;
  });
  addEventListener('afterprint', () => {
    for (const details of closed) details.open = false;
  });
})();
