/* What the tests of a page measure in the browser. */
() => ({
    charts() {
        return Object.fromEntries([...document.querySelectorAll('section')].map(section => [
            section.id,
            [...section.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0).map(svg => ({
                label: svg.getAttribute('aria-label'),
                role: svg.getAttribute('role'),
                marks: [...svg.querySelectorAll('.role-mark')]
                    .filter(group => !group.classList.contains('mark-text'))
                    .flatMap(group => [...group.querySelectorAll('path, rect, line')])
                    .filter(mark => { const box = mark.getBBox(); return box.width + box.height > 0; }).length,
            })),
        ]));
    },

    layout() {
        const small = [], clipped = [], overlapping = [];
        for (const svg of document.querySelectorAll('svg')) {
            const frame = svg.getBoundingClientRect();
            if (!frame.width) continue;
            const scale = frame.width / svg.viewBox.baseVal.width;
            const seen = [];
            for (const text of svg.querySelectorAll('text')) {
                const box = text.getBoundingClientRect();
                if (!box.width || !text.textContent.trim()) continue;
                if (parseFloat(getComputedStyle(text).fontSize) * scale < 10) small.push(text.textContent);
                if (box.left < frame.left - 8 || box.right > Math.min(frame.right + 8, innerWidth)) clipped.push(text.textContent);
                if (/rotate/.test(text.getAttribute('transform'))) continue;
                for (const other of seen) {
                    const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
                    const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
                    if (width > 1 && height > 4) overlapping.push([other.text, text.textContent]);
                }
                seen.push({ box, text: text.textContent });
            }
        }
        for (const element of document.querySelectorAll('.circleci-report *:not(svg *)')) {
            if (element.getBoundingClientRect().width && parseFloat(getComputedStyle(element).fontSize) < 12) small.push(element.outerHTML);
        }
        return { small, clipped, overlapping, width: document.documentElement.scrollWidth, inner: innerWidth };
    },

    contrast() {
        const channel = value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        const luminance = color => {
            const [red, green, blue] = color.match(/[\d.]+/g).map(Number).map(value => channel(value / 255));
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const ratio = (one, other) => {
            const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
        };
        const behind = element => {
            for (; element; element = element.parentElement) {
                const color = getComputedStyle(element).backgroundColor;
                if (!/, 0\)$|transparent/.test(color)) return color;
            }
            return 'rgb(255, 255, 255)';
        };
        let text = 99, marks = 99, cells = 99;
        for (const element of document.querySelectorAll('.circleci-report *')) {
            if (!element.getBoundingClientRect().width || element.closest('style')) continue;
            const style = getComputedStyle(element);
            if (element.tagName === 'text') {
                if (!element.closest('#queue .role-mark')) text = Math.min(text, ratio(style.fill, behind(element)));
            } else if (element.closest('svg')) {
                if (!element.matches('.role-mark:not(.mark-text) :is(path, rect, line)') || element.closest('#queue')) continue;
                const colors = [style.fill, style.stroke].filter(color => /^rgb/.test(color)).map(color => ratio(color, behind(element)));
                if (colors.length) marks = Math.min(marks, Math.max(...colors));
            } else if ([...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) {
                text = Math.min(text, ratio(style.color, behind(element)));
            }
        }
        const rects = [...document.querySelectorAll('#queue .wide .mark-rect.role-mark path')];
        const numbers = [...document.querySelectorAll('#queue .wide .mark-text.role-mark text')];
        rects.forEach((rect, index) => {
            cells = Math.min(cells, ratio(getComputedStyle(rect).fill, getComputedStyle(numbers[index]).fill));
        });
        return { text, marks, cells, count: rects.length === numbers.length, card: behind(document.querySelector('section')) };
    },

    focus() {
        const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
        return [
            element.tagName + (element.hash || '') + (element.closest('section')?.id || ''),
            parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== 'none' && box.width > 0 && box.bottom > 0 && box.top < innerHeight,
        ];
    },
})
