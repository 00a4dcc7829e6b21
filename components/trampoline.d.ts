/** @param moduleName a module below `components/` that exports check, diff, create, read, update and remove */
export function providerText(moduleName: string): string;
