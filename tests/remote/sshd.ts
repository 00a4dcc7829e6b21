import type { LabHost } from "../../lab";
import { until } from "./until";

/** Runs something while a second SSH server of the host listens on that port with other settings. */
export async function withSshServer<T>(
    host: LabHost,
    port: number,
    settings: readonly string[],
    use: () => Promise<T>,
): Promise<T> {
    const options = [`Port=${port}`, ...settings].map((setting) => `-o ${setting}`).join(" ");
    const unit = `sshd-${port}`;
    await host.output(`systemd-run --quiet --collect --unit ${unit} /usr/sbin/sshd -D ${options}`);
    try {
        await until("the second SSH server answers", 60, () => host.connect("127.0.0.1", port));
        return await use();
    } finally {
        await host.output(`systemctl stop ${unit}`);
    }
}
