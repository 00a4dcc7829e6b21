/** Writes down what was compiled, for a process that will be killed. Takes no time when nothing is new. */
export declare function keepCompiled(): void;
