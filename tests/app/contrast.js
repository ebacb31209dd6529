// Every text that is seen, the least contrast with what it stands on first: [contrast, text].
() => {
    const parse = text => {
        const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
        return /^color\(srgb/.test(text) ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
    const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        const layers = [];
        for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
        return layers.reduceRight((below, top) => over(top, below), [255, 255, 255]);
    };
    const found = [];
    const measure = (element, color, text) => {
        const ground = behind(element), [a, b] = [light(over(parse(color), ground)), light(ground)];
        found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text.trim().slice(0, 40)]);
    };
    for (const element of document.querySelectorAll('body *')) {
        if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        const style = getComputedStyle(element), own = [...element.childNodes].filter(n => n.nodeType === 3);
        const text = own.map(n => n.data).join('').trim();
        if (text && !['STYLE', 'SCRIPT', 'OPTION'].includes(element.tagName))
            measure(element, element instanceof SVGElement ? style.fill : style.color, text);
        if (element.matches('input[type=text], input:not([type]), textarea')) {
            measure(element, style.color, element.value || 'typed');
            measure(element, getComputedStyle(element, '::placeholder').color, 'placeholder ' + element.placeholder);
        }
    }
    return found.sort((a, b) => a[0] - b[0]);
}
