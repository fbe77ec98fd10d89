const reach = .07, fewest = 3;

/**
 * Finds the regions of a map: places where several features of one name lie together, the largest first.
 * @param places Features of one site, with name, and x and y from 0 to 1.
 */
export function regions(places) {
    const named = Map.groupBy(places.filter(one => one.name), one => one.name), found = [];
    for (const [name, all] of named) {
        let left = all;
        while (left.length >= fewest) {
            const around = left.map(one => left.filter(other => Math.hypot(one.x - other.x, one.y - other.y) < reach));
            const group = around.reduce((best, one) => one.length > best.length ? one : best);
            if (group.length < fewest) break;
            const mean = axis => group.reduce((sum, one) => sum + one[axis], 0) / group.length;
            found.push({ site: group[0].site, name, count: group.length, x: mean('x'), y: mean('y') });
            left = left.filter(one => !group.includes(one));
        }
    }
    return found.sort((a, b) => b.count - a.count);
}
