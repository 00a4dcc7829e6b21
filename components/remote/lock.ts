import type { SshConnection } from "./ssh";
export async function acquireLock(_c: readonly SshConnection[], _o: { cluster: string; holder: string; waitSeconds: number }): Promise<{ release(): Promise<void> }> { return { release: async () => {} }; }
