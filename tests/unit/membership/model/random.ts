/** Chance that can be told again: the same seed, the same life. */
export class Random {
    private state: number;

    constructor(seed: number) {
        // Seeds that differ by one must not begin alike.
        this.state = Math.imul(seed + 1, 0x9e3779b1) | 1;
        for (let round = 0; round < 8; round += 1) this.next();
    }

    /** In [0, 1): an xorshift generator of 32 bits. */
    next(): number {
        this.state ^= this.state << 13;
        this.state ^= this.state >>> 17;
        this.state ^= this.state << 5;
        return (this.state >>> 0) / 2 ** 32;
    }

    /** A whole number in [0, limit). */
    below(limit: number): number {
        return Math.floor(this.next() * limit);
    }

    chance(probability: number): boolean {
        return this.next() < probability;
    }

    pick<T>(items: readonly T[]): T {
        if (items.length === 0) throw new RangeError("nothing to pick from");
        return items[this.below(items.length)]!;
    }

    shuffled<T>(items: readonly T[]): readonly T[] {
        const keyed = items.map((item) => ({ item, key: this.next() }));
        return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
    }
}
