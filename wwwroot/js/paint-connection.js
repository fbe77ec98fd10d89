// The brush's way to the server: SignalR with MessagePack. The newest stroke is what counts: a few calls are under way, so that a far server
// is not waited for at each, and of what was painted meanwhile the newest of each layer goes next. After a lost connection the canvas is opened again and the newest stroke is sent again.

const mostUnderway = 3;

async function library() {
    if (!globalThis.signalR) await import('/lib/signalr/signalr.min.js');
    if (!globalThis.signalR.protocols?.msgpack) await import('/lib/signalr/signalr-protocol-msgpack.min.js');
    return globalThis.signalR;
}

export async function connect({ onFrame, onChanged, onStatus, onRejected, onPainted, onIdle, onTrouble }) {
    const signalR = await library();
    const hub = new signalR.HubConnectionBuilder()
        .withUrl('/hubs/paint', { transport: signalR.HttpTransportType.WebSockets, skipNegotiation: true })
        .withHubProtocol(new signalR.protocols.msgpack.MessagePackHubProtocol())
        .withAutomaticReconnect({ nextRetryDelayInMilliseconds: retry => Math.min(4000, 150 * 2 ** retry.previousRetryCount) })
        .configureLogging(signalR.LogLevel.Error)
        .build();
    let canvas = '', recipe = '', waiting = [], underway = 0, number = 0, painted = -1, newest = -1;
    hub.on('Frame', frame => {
        // The server sends no picture older than the one before; a reordered one is still not shown.
        if (frame.Version <= newest) return;
        newest = frame.Version;
        onFrame(frame);
    });
    hub.on('Changed', change => {
        recipe = change.Recipe;
        onChanged(change);
    });
    hub.on('Status', onStatus);
    hub.on('Rejected', onRejected);
    hub.onreconnected(async () => {
        newest = -1;
        await open(recipe);
        await flush();
    });

    async function open(json) {
        recipe = json;
        const state = await hub.invoke('Open', canvas, json).catch(error => { throw new Error(plain(error)); });
        // Another canvas counts anew: no version of the old one is newer than what is painted here.
        if (canvas && state.Canvas !== canvas) painted = Infinity;
        canvas = state.Canvas;
        return canvas;
    }

    async function flush() {
        if (underway === mostUnderway || !waiting.length || hub.state !== signalR.HubConnectionState.Connected) return;
        underway++;
        const stroke = waiting.shift();
        try {
            const version = await hub.invoke('Paint', stroke.edit, stroke.mask, stroke.isLast);
            painted = Math.max(painted, version);
            onPainted(stroke, version);
        } catch (error) {
            if (hub.state === signalR.HubConnectionState.Connected) onTrouble(plain(error));
            else queue(stroke);
        } finally {
            underway--;
        }
        if (!underway && !waiting.length) onIdle();
        await flush();
    }

    // Of a layer only the newest waits.
    function queue(stroke) {
        const other = waiting.find(one => one.edit === stroke.edit);
        if (other?.number > stroke.number) return;
        waiting = [...waiting.filter(one => one !== other), stroke];
    }

    await hub.start();
    return {
        open,
        stop: () => hub.stop(),
        /** Whether strokes are on their way. */
        get isBusy() { return underway > 0 || waiting.length > 0; },
        /** The canvas's version with the newest stroke that arrived. */
        get painted() { return painted; },
        /** Hands over a stroke, { edit, mask, isLast }; what waits is replaced by what is newer. */
        paint(stroke) {
            queue({ ...stroke, number: ++number });
            return flush();
        },
    };
}

const plain = error => String(error?.message ?? error).replace(/^.*HubException: /, '');
