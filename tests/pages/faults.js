// What is wrong with the page, as a list of words: layout, structure, size of text, contrast (WCAG 2.2).
() => {
  const faults = [];
  const shown = (element) =>
    element.getClientRects().length && getComputedStyle(element).visibility !== 'hidden';
  const off = (element) => element.closest('.skip') !== null;  // stands outside until it has the focus
  const name = (element) =>
    `${element.tagName.toLowerCase()}.${element.className.baseVal ?? element.className}`;

  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) faults.push(`scrolls sideways by ${wide} px`);
  for (const element of document.querySelectorAll('main *')) {
    const box = element.getBoundingClientRect();
    if (shown(element) && box.right > innerWidth + 0.5) faults.push(`${name(element)} leaves the window`);
  }

  for (const [selector, count] of [['h1', 1], ['main', 1], ['[role=main]', 0], ['header', 1], ['footer', 1]]) {
    const found = [...document.querySelectorAll(selector)].filter(shown).length;
    if (found !== count) faults.push(`${found} of ${selector}, not ${count}`);
  }
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) faults.push(`heading level jumps from ${level} to ${next}`);
    level = next;
  }
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  if (new Set(ids).size !== ids.length) faults.push('an id occurs twice');
  for (const element of document.querySelectorAll('[aria-labelledby], [aria-describedby]')) {
    for (const attribute of ['aria-labelledby', 'aria-describedby']) {
      const target = element.getAttribute(attribute);
      if (target && !target.split(' ').every((id) => document.getElementById(id))) faults.push(`${attribute} of ${name(element)} leads nowhere`);
    }
  }
  for (const input of document.querySelectorAll('input:not([type=hidden], [hidden]), select, textarea')) {
    if (!input.labels.length) faults.push(`input ${input.id} has no label`);
  }
  for (const element of document.querySelectorAll('a, button, input, select, textarea, summary')) {
    const target = ['checkbox', 'radio'].includes(element.type) ? element.closest('label') : element;
    const box = target.getBoundingClientRect();
    if (shown(element) && !off(element) && box.height < 44) faults.push(`${name(element)} is ${box.height} px high`);
  }

  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (element, property) => {
    const [one, other] = [luminance(numbers(getComputedStyle(element)[property])), luminance(ground(element))];
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(element) || off(element)) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < 16) faults.push(`${name(element)} has text of ${size} px`);
    const ratio = contrast(element, 'color');
    if (ratio < 4.5) faults.push(`${name(element)} has contrast ${ratio.toFixed(2)}`);
  }
  const icon = document.querySelector('.verdict .icon');
  if (document.querySelector('.verdict') && !(icon && shown(icon))) faults.push('the outcome has no icon');
  if (icon && contrast(icon, 'color') < 4.5) faults.push('the icon is too pale');
  return [...new Set(faults)];
}
