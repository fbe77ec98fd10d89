// The page of a shared picture: moves the divider, and opens the browser's share sheet.

const split = document.querySelector('[data-split]');
const show = () => split.closest('figure').style.setProperty('--split', `${split.value}%`);
split?.addEventListener('input', show);
if (split) show();
document.querySelector('[data-share]').addEventListener('click', () =>
    saeunbox.share(document.querySelector('h1').textContent, location.href));
