// Returns the problems of the page as a list of lines. The first argument is the name of a check.
const problems = [];

const isShown = element => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const describe = element => {
  const id = element.id ? '#' + element.id : '';
  const text = element.textContent.trim().replace(/\s+/g, ' ').slice(0, 30);
  return `<${element.localName}${id}> "${text}"`;
};

// Color components are in 0..255, and alpha in 0..1.
const parseColor = text => {
  const parts = /^rgba?\(([^)]*)\)$/.exec(text);
  if (!parts) return null;
  const [r, g, b, a = 1] = parts[1].split(/[\s,/]+/).map(Number);
  return { r, g, b, a };
};
const blend = (top, below) => {
  const mix = part => top[part] * top.a + below[part] * (1 - top.a);
  return { r: mix('r'), g: mix('g'), b: mix('b'), a: 1 };
};
// Relative luminance and contrast, as WCAG 2.2 defines them.
const luminance = ({ r, g, b }) => {
  const [x, y, z] = [r, g, b].map(value => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

const isShape = element => element instanceof SVGGeometryElement;
// The background that an element itself paints behind a text.
const ownBackground = element => {
  const style = getComputedStyle(element);
  const paint = parseColor(isShape(element) ? style.fill : style.backgroundColor);
  if (!paint) return { r: 0, g: 0, b: 0, a: 0 };
  const opacity = isShape(element) ? Number(style.fillOpacity) * Number(style.opacity) : 1;
  return { ...paint, a: paint.a * opacity };
};
// The background of a text: the shapes under its center and its ancestors, down to the canvas.
const background = element => {
  const svg = element.closest('svg');
  let layers = [];
  for (let at = svg || element; at; at = at.parentElement) layers.push(at);
  if (svg) {
    element.scrollIntoView({ block: 'center', inline: 'center' });
    const box = element.getBoundingClientRect();
    const under = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    layers = [...under.filter(at => isShape(at) && svg.contains(at)), ...layers];
  }
  const canvas = matchMedia('(prefers-color-scheme: dark)').matches && matchMedia('screen').matches
    ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
  return layers.map(ownBackground).reverse().reduce((below, top) => blend(top, below), canvas);
};
const texts = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = new Set();
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const silent = parent.closest('script, style, title, desc');
    if (walker.currentNode.data.trim() && !silent && isShown(parent)) found.add(parent);
  }
  return [...found];
};
// The size of a text on the screen, in CSS pixels.
const size = element => {
  const svg = element.closest('svg');
  const scale = svg ? svg.getScreenCTM().a : 1;
  return parseFloat(getComputedStyle(element).fontSize) * scale;
};

const checks = {
  contrast() {
    for (const element of texts()) {
      const style = getComputedStyle(element);
      const inSvg = !!element.closest('svg');
      const textColor = parseColor(inSvg ? style.fill : style.color);
      if (!textColor) { problems.push(`${describe(element)} has the color ${inSvg ? style.fill : style.color}`); continue; }
      let opacity = inSvg ? Number(style.fillOpacity) : 1;
      for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
      const backgroundColor = background(element);
      const ratio = contrast(blend({ ...textColor, a: textColor.a * opacity }, backgroundColor), backgroundColor);
      const pixels = size(element);
      const large = pixels >= 24 || (pixels >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) {
        problems.push(`${describe(element)} has a contrast of ${ratio.toFixed(2)} at ${pixels.toFixed(1)} px`);
      }
    }
  },
  size() {
    for (const element of texts()) {
      const pixels = size(element);
      if (pixels < 9) problems.push(`${describe(element)} is ${pixels.toFixed(1)} px high`);
    }
  },
  width() {
    // Not innerWidth: a phone zooms out if the page is too wide.
    const root = document.documentElement;
    const room = root.clientWidth;
    if (root.scrollWidth > room) problems.push(`the page is ${root.scrollWidth} px wide, of ${room}`);
    const scrolls = element => {
      for (let at = element; at; at = at.parentElement) {
        if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return true;
      }
      return false;
    };
    for (const element of document.body.querySelectorAll('*')) {
      const box = element.getBoundingClientRect();
      if (box.width && isShown(element) && box.right > room + 1 && box.left >= 0 && !scrolls(element)) {
        problems.push(`${describe(element)} ends at ${box.right.toFixed(0)} px, of ${room}`);
      }
    }
  },
  figures() {
    const figures = [...document.querySelectorAll('figure')];
    if (figures.length < Number(arguments_[1])) problems.push(`there are ${figures.length} figures`);
    for (const figure of figures) {
      const svg = figure.querySelector('svg');
      if (!svg || !isShown(svg)) { problems.push(`${describe(figure)} has no visible picture`); continue; }
      const box = svg.getBoundingClientRect();
      if (box.width < 200 || box.height < 80) problems.push(`${describe(figure)} is ${box.width} x ${box.height}`);
      const caption = figure.querySelector('figcaption');
      if (!caption || !isShown(caption) || caption.textContent.trim().length < 20) {
        problems.push(`${describe(figure)} has no caption of at least 20 characters`);
      }
      if (!figure.querySelector('details table')) problems.push(`${describe(figure)} has no table`);
      const words = [...svg.querySelectorAll('text')].filter(text => text.textContent.trim());
      const boxes = words.map(word => word.getBoundingClientRect());
      for (const line of svg.querySelectorAll('line, polyline, path')) {
        const at = line.getBoundingClientRect();
        // Only vertical and horizontal lines: the bounding box of other lines is not meaningful.
        if (!isShown(line) || Math.min(at.width, at.height) > 3) continue;
        boxes.forEach((word, i) => {
          const across = Math.min(at.right, word.right - 3) >= Math.max(at.left, word.left + 3);
          const down = Math.min(at.bottom, word.bottom - 4) >= Math.max(at.top, word.top + 4);
          if (across && down) problems.push(`a line crosses ${describe(words[i])} in ${figure.id}`);
        });
      }
      boxes.forEach((a, i) => {
        if (a.left < box.left - 1 || a.right > box.right + 1 || a.top < box.top - 1 || a.bottom > box.bottom + 1) {
          problems.push(`${describe(words[i])} is cut off in ${figure.id}`);
        }
        boxes.slice(i + 1).forEach((b, j) => {
          const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (across > 2 && down > 4) {
            problems.push(`${describe(words[i])} overlaps ${describe(words[i + 1 + j])} in ${figure.id}`);
          }
        });
      });
    }
  },
  tables(open) {
    const details = [...document.querySelectorAll('figure details')];
    for (const each of details) {
      const table = each.querySelector('table');
      const box = table.getBoundingClientRect();
      const seen = each.open && table.checkVisibility() && box.width > 100 && box.height > 20;
      if (seen !== open) problems.push(`the table of ${each.closest('figure').id} is ${seen ? '' : 'not '}shown`);
    }
  },
  closed() { checks.tables(false); },
  opened() { checks.tables(true); },
  structure() {
    const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')];
    let last = 0;
    for (const heading of levels) {
      const level = Number(heading.localName[1]);
      if (level > last + 1) problems.push(`${describe(heading)} follows a heading of level ${last}`);
      if (!heading.textContent.trim()) problems.push(`a heading of level ${level} is empty`);
      last = level;
    }
    if (document.querySelectorAll('h1').length !== 1) problems.push('there is not exactly one h1');
    if (document.querySelectorAll('main').length !== 1) problems.push('there is not exactly one main');
    if (!document.documentElement.lang) problems.push('the document has no language');
    if (!document.title.trim()) problems.push('the document has no title');
    const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
    ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => problems.push(`duplicate id: ${id}`));
    for (const element of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
      for (const attribute of ['aria-labelledby', 'aria-describedby']) {
        for (const id of (element.getAttribute(attribute) || '').split(/\s+/).filter(Boolean)) {
          if (!document.getElementById(id)?.textContent.trim()) problems.push(`${describe(element)} refers to ${id}, which has no text`);
        }
      }
    }
    for (const link of document.querySelectorAll('a[href]')) {
      const to = link.getAttribute('href');
      if (!link.textContent.trim()) problems.push(`the link to ${to} has no name`);
      if (to.startsWith('#') && !document.getElementById(to.slice(1))) problems.push(`the target of ${to} does not exist`);
    }
    for (const cell of document.querySelectorAll('th')) {
      if (!cell.scope) problems.push(`${describe(cell)} has no scope`);
    }
    for (const table of document.querySelectorAll('table')) {
      if (!table.querySelector('th')) problems.push(`${describe(table)} has no header cells`);
    }
    const allowed = ['figure', 'body', 'html', 'details'];
    for (const element of document.querySelectorAll('*')) {
      const scrolls = ['auto', 'scroll'].includes(getComputedStyle(element).overflowX);
      if (scrolls && !allowed.includes(element.localName) && element.tabIndex < 0) {
        problems.push(`${describe(element)} cannot be scrolled by keyboard`);
      }
    }
  },
};

const arguments_ = arguments;
checks[arguments_[0]]();
return problems;
