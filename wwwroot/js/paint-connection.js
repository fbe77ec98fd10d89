// The connection to the paint hub, by SignalR with MessagePack. A few calls run at once, so that a distant server does not slow down
// painting. Of the strokes that wait, only the newest of each layer is sent. After a lost connection the canvas is opened again, and
// strokes that failed or exceeded a limit are sent again.

const version = 2, maxRunning = 3;

async function library() {
    if (!globalThis.signalR) await import('../lib/signalr/signalr.min.js');
    if (!globalThis.signalR.protocols?.msgpack) await import('../lib/signalr/signalr-protocol-msgpack.min.js');
    return globalThis.signalR;
}

export async function connect({ onOpened, onFrame, onRecipe, onChanged, onStatus, onPainted, onIdle, onError }) {
    const signalR = await library();
    const { WebSockets, LongPolling } = signalR.HttpTransportType;
    const hubBy = transport => new signalR.HubConnectionBuilder()
        .withUrl(new URL(`hubs/paint?version=${version}`, document.baseURI).href, { transport, skipNegotiation: transport === WebSockets })
        .withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol())
        .withAutomaticReconnect({ nextRetryDelayInMilliseconds: retry => Math.min(4000, 150 * 2 ** retry.previousRetryCount) })
        .configureLogging(signalR.LogLevel.Error)
        .build();
    const newestNumber = new Map(); // of each layer's strokes
    let canvas = '', recipe = '', waiting = [], running = 0, isPaused = false, number = 0, painted = -1, shown = -1;
    const hub = await start(hubBy(WebSockets)).catch(() => start(hubBy(LongPolling)));

    // Some proxies let no WebSocket pass.
    async function start(hub) {
        hub.on('Frame', frame => {
            if (frame.Version <= shown) return;
            shown = frame.Version;
            onFrame(frame);
        });
        hub.on('Changed', change => {
            recipe = change.Recipe;
            onRecipe(recipe, change.Version);
            onChanged(change);
        });
        hub.on('Status', onStatus);
        hub.onreconnected(reopen);
        await hub.start();
        return hub;
    }

    async function reopen() {
        shown = -1;
        try {
            await open(canvas);
            await flush();
        } catch (error) {
            onError(messageOf(error));
            setTimeout(reopen, 2000);
        }
    }

    // The recipe of an earlier visit, if there is one, starts a new canvas where this one is not known.
    async function open(id) {
        const state = await hub.invoke('Open', id, recipe || null).catch(error => { throw new Error(messageOf(error)); });
        // A new canvas counts its versions from 0, so until the next stroke no version counts as newer than this browser's mask.
        if (state.Canvas !== id) painted = Infinity;
        [canvas, recipe] = [state.Canvas, state.Recipe];
        onOpened(canvas);
        onRecipe(recipe, state.Version);
        return canvas;
    }

    async function flush() {
        if (isPaused || running === maxRunning || !waiting.length || hub.state !== signalR.HubConnectionState.Connected) return;
        running++;
        const stroke = waiting.shift();
        try {
            const answer = await hub.invoke('Paint', stroke.edit, stroke.mask, stroke.isLast);
            if (answer.RetryAfterSeconds === null) {
                painted = Math.max(painted, answer.Version);
                onPainted(stroke, answer.Version);
            } else {
                retry(stroke);
                pause(answer.RetryAfterSeconds);
            }
        } catch (error) {
            if (hub.state === signalR.HubConnectionState.Connected) onError(messageOf(error));
            else retry(stroke);
        } finally {
            running--;
        }
        if (!running && !waiting.length) onIdle();
        await flush();
    }

    // Replaces an older waiting stroke of the layer.
    function queue(stroke) {
        const other = waiting.find(one => one.edit === stroke.edit);
        if (other?.number > stroke.number) return;
        waiting = [...waiting.filter(one => one !== other), stroke];
    }

    // Does nothing if the layer has a newer stroke.
    function retry(stroke) {
        if (stroke.number === newestNumber.get(stroke.edit)) queue(stroke);
    }

    function pause(seconds) {
        isPaused = true;
        setTimeout(() => {
            isPaused = false;
            flush();
        }, 1000 * seconds);
    }

    return {
        open,
        stop: () => hub.stop(),
        /** Whether strokes wait or are being sent. */
        get isBusy() { return running > 0 || waiting.length > 0; },
        /** The canvas's version after the last stroke that the server received. */
        get painted() { return painted; },
        /** Sends a stroke, { edit, mask, isLast }. */
        paint(stroke) {
            newestNumber.set(stroke.edit, ++number);
            queue({ ...stroke, number });
            return flush();
        },
    };
}

const messageOf = error => String(error?.message ?? error).replace(/^.*HubException: /, '');
