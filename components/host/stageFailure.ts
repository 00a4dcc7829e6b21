import { afterLookAt, nextLine, ONCE_DONE, ONCE_ENDED } from "../nextCommand";
import { shellQuote } from "../quote";
import type { HostSettings } from "./settings";

/**
 * The part of the staging script that ends it when something fails: `fail SENTENCE [NEXT]` says why, and the last line on stderr says what
 * to type next, whatever failed. A program that fails by itself mostly lacks room, or may not write.
 */
export function renderFailure({ name, address, paths }: HostSettings): string {
    const look = (command: string): string => afterLookAt({ name, address }, command);
    const nexts = {
        once_done: ONCE_DONE,
        once_ended: ONCE_ENDED,
        see_disks: look("df -h"),
        see_load: look("uptime; df -h"),
        see_table: look(`nft --check --file /run/${paths.firewallUnit}.try`),
        see_firewall: look(`journalctl -u ${paths.firewallUnit}`),
        see_timer: look(`systemctl status ${paths.backupUnit}.timer`),
    };
    return `${Object.entries(nexts)
        .map(([variable, next]) => `${variable}=${shellQuote(next)}`)
        .join("\n")}
next=$see_disks
fail() { printf '%s\\n' "$1" >&2; next=\${2:-$once_done}; exit 1; }
end() { [ $? = 0 ] || printf '${nextLine("%s")}\\n' "$next" >&2; }
trap end EXIT
# By the limit of the command that runs this.
trap 'fail "the files were not all laid down in time, and staging on this host was stopped: check its load and disks" "$see_load"' TERM`;
}
