// Colour maps for values from 0 to 1. The original work draws jet; viridis is also ordered by brightness.

const mix = (stops, value) => {
    const place = value * (stops.length - 1), first = Math.min(stops.length - 2, Math.floor(place)), share = place - first;
    return `rgb(${stops[first].map((from, i) => Math.round(from + (stops[first + 1][i] - from) * share)).join(' ')})`;
};

const ramp = (value, centre) => Math.round(255 * Math.min(1, Math.max(0, 1.5 - Math.abs(4 * value - centre))));

export const colours = {
    jet: value => `rgb(${ramp(value, 3)} ${ramp(value, 2)} ${ramp(value, 1)})`,
    viridis: value => mix([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], value),
    heat: value => mix([[40, 8, 60], [190, 50, 90], [255, 140, 70], [255, 245, 200]], value),
};
