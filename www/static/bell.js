/* bell.js: calling the visitor back, by a notice of the browser, to a page that nobody looks at. For who wants it, where the browser can. */
(function () {
    "use strict";

    const WORTH_A_NOTICE = ["otp_required", "completed", "failed"];
    const NOTICE_AFTER_S = 1; /* a tab that is seen may be on its way to its next page */
    const CHOICE = "peygir-notify"; /* in localStorage */
    const html = document.documentElement;

    const part = (name) => document.querySelector('[data-part="' + name + '"]');

    /* Holds a lock from when it is granted until the function that is returned is called. */
    function hold(name, mode, granted) {
        const stop = new AbortController();
        let release = () => stop.abort();

        navigator.locks.request(name, { mode, signal: stop.signal }, () => new Promise((done) => {
            release = done;
            granted();
        })).catch(() => {}); /* given up before it was granted */
        return () => release();
    }

    /* Some browsers leave notices to service workers: the constructor throws there, and elsewhere shows nothing before it is allowed to. */
    function canNotify() {
        try {
            localStorage.getItem(CHOICE);
            if (Notification.permission === "default")
                new Notification("");
            return Notification.permission !== "denied" && "locks" in navigator;
        } catch (error) {
            return false;
        }
    }

    const wantsNotices = () => Notification.permission === "granted" && localStorage.getItem(CHOICE) === "on";

    /* Who of a request's tabs watches while none is seen: those that are seen share a lock, and a hidden one waits to have it alone, so that
     * one watches and calls back, not each. It looks now and then, which keeps no connection; one tab of all requests, by a second lock, has a
     * stream besides. `changed` is called when it begins to watch. */
    function takeTurns(page, bell, changed) {
        const held = [], name = "peygir " + page.texts.statusUrl;

        function leave() {
            held.splice(0).forEach((release) => release());
            bell.watches = bell.streams = false;
        }
        function join() {
            const { hidden } = document;

            leave();
            if (!wantsNotices() || (hidden && page.isFinal))
                return;
            held.push(hold(name, hidden ? "exclusive" : "shared", () => {
                bell.watches = hidden;
                if (!hidden)
                    return;
                changed();
                held.push(hold("peygir-live", "exclusive", () => {
                    bell.streams = true;
                    page.stream.open();
                }));
            }));
        }
        async function isSeen() {
            const locks = await navigator.locks.query();

            return locks.held.concat(locks.pending).some((lock) => lock.name === name && lock.mode === "shared");
        }
        return { join, leave, isSeen };
    }

    /* The switch, on the pages that have it. */
    function offer(box, changed) {
        const button = part("notify-button"), hint = part("notify-hint");

        async function press() {
            const on = !wantsNotices() && await Notification.requestPermission() === "granted";

            localStorage.setItem(CHOICE, on ? "on" : "off");
            changed();
            if (Notification.permission !== "denied")
                return;
            hint.textContent = box.dataset.refused;
            hint.tabIndex = -1; /* the focus was on what disappears */
            hint.focus();
            button.hidden = true;
        }
        button.addEventListener("click", press);
        box.hidden = false;
    }

    /* One notice of the browser when the code is needed or the work has ended, and no tab of the request is seen: for who wants it. */
    function hangBell(page, changed, go) {
        const box = part("notify"), bell = page.bell;
        let notice = null, timer;

        if (!canNotify())
            return;
        const turns = takeTurns(page, bell, changed);

        function notify(view) {
            notice = new Notification(box.dataset.service + " – " + box.dataset.site, {
                body: box.dataset[view.status], tag: view.hash, renotify: true, lang: html.lang, dir: html.dir,
            });
            notice.addEventListener("click", () => window.focus());
        }

        async function ring(view, wasSeen) {
            const seen = await wasSeen || await turns.isSeen();

            if (page.told !== view.status) /* gone on meanwhile */
                return;
            if (seen || !bell.watches)
                go(page.next);
            else
                notify(view);
        }

        bell.rings = (view) => {
            const rings = bell.watches && WORTH_A_NOTICE.includes(view.status), told = page.told;

            page.told = rings ? view.status : null;
            if (rings && told !== view.status) {
                const seen = turns.isSeen();

                clearTimeout(timer);
                timer = setTimeout(() => ring(view, seen).catch(() => go(page.next)), NOTICE_AFTER_S * 1000);
            }
            return rings;
        };
        bell.attend = () => {
            if (box)
                part("notify-button").setAttribute("aria-pressed", wantsNotices());
            turns.join();
            if (notice && !document.hidden)
                notice.close();
        };
        bell.leave = turns.leave;
        window.addEventListener("storage", (event) => {
            if (event.key !== CHOICE) /* else it was another tab's button */
                return;
            bell.attend();
            changed();
        });
        if (box)
            offer(box, bell.attend);
    }

    window.hangBell = hangBell;
}());
