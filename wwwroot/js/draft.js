// What this browser keeps of the canvas: the recipe and the job of its picture, and beside it the newest stroke until the recipe holds it. The
// page may be loaded anew at any moment, and the server started anew. Each tab has its own (a duplicated one begins with a copy); a new tab
// begins with what the last one had.

const tab = 'sessionStorage', browser = 'localStorage';
const keys = { recipe: 'saeunbox.draft', job: 'saeunbox.job', stroke: 'saeunbox.pending', solo: 'saeunbox.solo' };

/** The link in the address, if any. */
export const link = () => /[#&]r=([\w-]+)/.exec(location.hash)?.[1];

/** A link in the address; or the draft, the job of its picture, a stroke that it may not hold yet, and the layer that is seen alone. */
export function find() {
    const linked = link();
    const from = stored(tab, keys.recipe) === null ? browser : tab;
    const stroke = linked ? null : newestStroke();
    return { link: linked, draft: stored(from, keys.recipe), job: linked ? null : stored(from, keys.job), solo: linked ? null : stored(tab, keys.solo), pendingEdit: stroke?.edit ?? -1, pendingMask: stroke?.mask };
}

export function keep(recipe) {
    store(keys.recipe, recipe);
}

export function keepStroke(edit, mask) {
    store(keys.stroke, JSON.stringify({ edit, mask }), [tab]);
}

/** The layer that is seen alone, as the page tells it; null for none. */
export function keepSolo(solo) {
    store(keys.solo, solo ?? '', [tab]);
}

/** The server's recipe changed: the draft follows it, even where this page's circuit is gone and only the brush came back. */
export function changed(change) {
    if (change.IsStroke) return;
    keep(change.Recipe);
    store(keys.job, change.Job);
    const stroke = newestStroke();
    if (stroke && JSON.parse(change.Recipe).edits?.[stroke.edit]?.mask === stroke.mask) forget();
}

/** Forgets the stroke. */
export function forget() {
    try { sessionStorage.removeItem(keys.stroke); } catch { /* Nothing was kept. */ }
}

function newestStroke() {
    try { return JSON.parse(stored(tab, keys.stroke)); } catch { return null; }
}

function stored(storage, key) {
    try { return globalThis[storage].getItem(key); } catch { return null; }
}

function store(key, value, storages = [tab, browser]) {
    for (const storage of storages)
        try { globalThis[storage].setItem(key, value); } catch { /* A private window keeps no drafts. */ }
}
