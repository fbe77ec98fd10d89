// What this browser stores, because the page may be reloaded and the server restarted at any time: the recipe, the job of its picture, the
// layer that is shown alone, and the newest stroke until the recipe contains it. Each tab has its own state; a new tab starts with the last
// tab's recipe.

const tab = 'sessionStorage', browser = 'localStorage';
const keys = { recipe: 'saeunbox.draft', job: 'saeunbox.job', stroke: 'saeunbox.pending', solo: 'saeunbox.solo' };

/** Returns the recipe link in the address, if any. Chats and mail programs encode the = and move the link behind a question mark. */
export const link = () => /[#?&]r(?:=|%(?:25)*3d)([\w-]+)/i.exec(location.search + location.hash)?.[1];

/** Returns the link in the address and what is stored. With a link, only the draft is returned, in case the link is unreadable. */
export function find() {
    const linked = link(), from = load(tab, keys.recipe) === null ? browser : tab, draft = load(from, keys.recipe);
    if (linked) return { link: linked, draft, pendingEdit: -1 };
    const stroke = loadStroke();
    return { draft, job: load(from, keys.job), solo: load(tab, keys.solo), pendingEdit: stroke?.edit ?? -1, pendingMask: stroke?.mask };
}

export function storeStroke(edit, mask) {
    store(keys.stroke, JSON.stringify({ edit, mask }), [tab]);
}

/** Stores the state of the layer that is shown alone; null for none. */
export function storeSolo(solo) {
    store(keys.solo, solo ?? '', [tab]);
}

/** Stores a changed recipe, as the hub reports it. */
export function storeRecipe(change) {
    if (change.IsStroke) return;
    store(keys.recipe, change.Recipe);
    store(keys.job, change.Job);
    const stroke = loadStroke();
    if (stroke && JSON.parse(change.Recipe).edits?.[stroke.edit]?.mask === stroke.mask) forgetStroke();
}

export function forgetStroke() {
    try { sessionStorage.removeItem(keys.stroke); } catch { /* The browser allows no storage. */ }
}

function loadStroke() {
    try { return JSON.parse(load(tab, keys.stroke)); } catch { return null; }
}

function load(storage, key) {
    try { return globalThis[storage].getItem(key); } catch { return null; }
}

function store(key, value, storages = [tab, browser]) {
    for (const storage of storages)
        try { globalThis[storage].setItem(key, value); } catch { /* The browser allows no storage, or it is full. */ }
}
