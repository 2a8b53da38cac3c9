// What is wrong with the page for those who do not see it, see it badly, or have no mouse: a list of sentences.
(() => {
    const found = [];
    const seen = node => node.checkVisibility({ visibilityProperty: true, opacityProperty: true })
        && !node.closest("[aria-hidden=true], .unseen");
    const called = node => `<${node.tagName.toLowerCase()}${node.id ? ` id=${node.id}` : ""} class="${node.getAttribute("class") ?? ""}">`
        + ` “${(node.textContent ?? "").trim().slice(0, 40)}”`;
    const byIds = (node, name) => (node.getAttribute(name) ?? "").split(/\s+/).filter(Boolean)
        .map(id => document.getElementById(id));
    const nameOf = node => (byIds(node, "aria-labelledby").map(each => each?.textContent).join(" ")
        || node.getAttribute("aria-label") || [...node.labels ?? []].map(label => label.textContent).join(" ")
        || (["INPUT", "SELECT", "TEXTAREA"].includes(node.tagName) ? "" : node.textContent) || node.title || "").trim();

    // Names of controls, and of what has a role that needs one.
    const controls = "a[href], button, input, select, textarea, [role=grid], [role=tab], [role=meter], [role=img], dialog, nav, [role=region]";
    for (const node of document.querySelectorAll(controls)) {
        if (seen(node) && !nameOf(node)) found.push(`no name: ${called(node)}`);
    }
    for (const node of document.querySelectorAll("input, select, textarea")) {
        if (seen(node) && !node.labels?.length && !node.getAttribute("aria-label") && !node.getAttribute("aria-labelledby")) {
            found.push(`no label: ${called(node)}`);
        }
    }
    // References and ids.
    const ids = new Map();
    for (const node of document.querySelectorAll("[id]")) ids.set(node.id, (ids.get(node.id) ?? 0) + 1);
    for (const [id, times] of ids) if (times > 1) found.push(`the id ${id} is there ${times} times`);
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "aria-activedescendant"]) {
        for (const node of document.querySelectorAll(`[${name}]`)) {
            if (byIds(node, name).some(each => !each)) found.push(`${name} of nothing: ${called(node)}`);
        }
    }
    // Landmarks, language, title, order of headings.
    for (const [selector, number] of [["main", 1], ["header.top", 1], ["nav[aria-label=Views]", 1]]) {
        if (document.querySelectorAll(selector).length !== number) found.push(`not ${number} of ${selector}`);
    }
    if (!document.documentElement.lang || !document.title) found.push("no language, or no title");
    // Parents that roles must have.
    const parents = { row: "[role=grid], [role=rowgroup]", gridcell: "[role=row]", columnheader: "[role=row]", tab: "[role=tablist]" };
    for (const [role, parent] of Object.entries(parents)) {
        for (const node of document.querySelectorAll(`[role=${role}]`)) {
            if (!node.parentElement.closest(parent)) found.push(`${role} without ${parent}: ${called(node)}`);
        }
    }
    // Focus: in the order of the page, and none that nobody can see.
    for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) found.push(`tabindex > 0: ${called(node)}`);
    for (const node of document.querySelectorAll("[aria-hidden=true] a, [aria-hidden=true] button")) found.push(`hidden control: ${called(node)}`);
    // No inline style or script: the policy would block it.
    for (const node of document.querySelectorAll("[onclick], script:not([src]), style")) found.push(`inline: ${called(node)}`);

    // Contrast, as WCAG computes it.
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    const colour = text => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const over = (top, bottom) => {
        const alpha = top[3] / 255;
        return [0, 1, 2].map(index => top[index] * alpha + bottom[index] * (1 - alpha)).concat(255);
    };
    const behind = node => {
        const layers = [];
        for (let each = node; each; each = each.parentElement) layers.push(colour(getComputedStyle(each).backgroundColor));
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 255]);
    };
    const light = rgb => {
        const [r, g, b] = rgb.map(value => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, two) => {
        const [bright, dark] = [light(one), light(two)].sort((a, b) => b - a);
        return (bright + 0.05) / (dark + 0.05);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        const node = text.parentElement;
        if (!text.data.trim() || !seen(node) || node.closest("button:disabled, noscript, option, .skip")) continue;
        const style = getComputedStyle(node);
        const ground = behind(node);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        const ratio = contrast(over(colour(node.closest("svg") ? style.fill : style.color), ground), ground);
        if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${called(node)}`);
    }
    for (const node of document.querySelectorAll("input, select, textarea")) {
        if (!seen(node) || node.disabled) continue;
        const ratio = contrast(colour(getComputedStyle(node).borderTopColor), behind(node.parentElement));
        if (ratio < 3) found.push(`border ${ratio.toFixed(2)}: ${called(node)}`);
    }
    // Nothing is wider than the window.
    if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window: ${document.documentElement.scrollWidth}`);
    const main = document.querySelector("main");
    if (main.scrollWidth > main.clientWidth) found.push(`the view is wider than its place: ${main.scrollWidth} > ${main.clientWidth}`);
    return [...new Set(found)];
})()
