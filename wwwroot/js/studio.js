// Sets the theme before the page is drawn, defines the browser functions that Blazor calls, and reloads the page if its circuit is lost.
(() => {
    const key = 'saeunbox.theme';
    const system = () => matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
    const set = theme => { document.documentElement.dataset.theme = theme; };
    const chosen = () => { try { return localStorage.getItem(key); } catch { return null; } };
    set(chosen() ?? system());
    if (navigator.share) document.documentElement.dataset.canShare = 'true';
    window.saeunbox = {
        switchTheme() {
            const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
            set(next);
            try { localStorage.setItem(key, next); } catch { /* The browser allows no storage. */ }
        },
        remember(key, value) {
            try { localStorage.setItem(`saeunbox.${key}`, value); } catch { /* The browser allows no storage. */ }
        },
        recall(key) {
            try { return localStorage.getItem(`saeunbox.${key}`); } catch { return null; }
        },
        /** Changes a page's address, as a new step of the history or in place, unless the visitor is on another page by now. */
        replaceAddress(page, address, isStep) {
            const here = location.href.split(/[?#]/)[0];
            if (here === new URL(page, document.baseURI).href) Blazor.navigateTo(address, { replaceHistoryEntry: !isStep });
        },
        showDialog(dialog) {
            dialog.showModal();
        },
        async share(title, url) {
            try { await navigator.share({ title, url }); } catch { /* The visitor closed the sheet. */ }
        },
        /** Saves what an address gives as a file. Returns null, or what went wrong. */
        async save(address, name) {
            const answer = await fetch(address).catch(() => null);
            if (!answer?.ok) return (await answer?.json().catch(() => null))?.detail ?? 'the server does not answer';
            const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(await answer.blob()), download: name });
            link.click();
            setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
            return null;
        },
        async copy(text) {
            try {
                await navigator.clipboard.writeText(text);
                return true;
            } catch {
                return false;
            }
        },
    };
    addEventListener('keydown', event => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !event.target.matches?.('textarea[data-submit]')) return;
        event.preventDefault();
        event.target.form.requestSubmit();
    });
    // Blazor only writes to the console if its first connection is refused. The answer to the same request says why.
    const patience = 2500;
    const sayWhyNot = async () => {
        const notice = document.getElementById('connection-refused');
        if (!notice || document.querySelector('main[data-live]')) return;
        const answer = await fetch('_blazor/negotiate?negotiateVersion=1', { method: 'POST' }).catch(() => null);
        if (answer?.ok) return;
        notice.querySelector('span').textContent = answer?.status === 403 ? await answer.text()
            : answer ? `The server answered ${answer.status} to the request for a connection.` : 'The server cannot be reached.';
        notice.classList.add('is-refused');
    };
    addEventListener('load', () => setTimeout(sayWhyNot, patience));
    // After a restart of the server, Blazor cannot resume the page's circuit. The draft is stored in the browser, so the page reloads, but
    // not before a running stroke ends.
    let isHeld = false, isLost = false;
    const reload = () => isLost && !isHeld && setTimeout(() => location.reload());
    for (const type of ['pointerdown', 'pointerup', 'pointercancel'])
        addEventListener(type, event => {
            isHeld = event.buttons > 0;
            reload();
        });
    addEventListener('DOMContentLoaded', () => {
        const notice = document.getElementById('components-reconnect-modal');
        if (!notice) return;
        new MutationObserver(() => {
            isLost = notice.classList.contains('components-reconnect-rejected');
            reload();
        }).observe(notice, { attributes: true, attributeFilter: ['class'] });
    });
})();
