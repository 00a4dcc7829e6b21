import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { closeLab, openLab } from "../../lab";
import type { Lab, LabHost } from "../../lab";
import { until } from "../../lab/poll";
import { overSsh } from "./login";
import { tracesOf } from "./traces";

const environment = "labtest-faults";
const hosts = ["a", "b", "c"].map((name, index) => ({ name, address: `10.99.6.${11 + index}` }));

describe("lab: faults", () => {
    let lab: Lab;
    let a: LabHost;
    let b: LabHost;
    let c: LabHost;

    before(async () => {
        await closeLab(environment);
        lab = await openLab({ environment, hosts });
        [a, b, c] = ["a", "b", "c"].map((name) => lab.host(name)) as [LabHost, LabHost, LabHost];
    });
    after(() => closeLab(environment));
    afterEach(() => openLab({ environment, hosts }));

    const milliseconds = async (act: () => Promise<unknown>) => {
        const began = performance.now();
        await act();
        return performance.now() - began;
    };
    const bootId = (host: LabHost) => host.output("stat --format %Y.%i /proc/1; cut -d ' ' -f 22 /proc/1/stat");

    it("stop shuts down cleanly, and start boots what was there", async () => {
        await b.writeFile("/srv/data", "kept");
        await b.stop();
        assert.equal(b.state(), "down");
        assert.equal(await a.connect(b.address, 22), false);
        await assert.rejects(b.run("true"), /host "b" is down: start it first/);
        await b.start();
        assert.equal(await b.readFile("/srv/data"), "kept");
        assert.match(await b.output("journalctl --boot=-1 --no-pager"), /Reached target .*poweroff|Shutting down/i);
    });

    it("kill ends every process at once; files and identity stay", async () => {
        await b.writeFile("/srv/data", "kept");
        await b.output("systemd-run --unit sleeper sleep 1000");
        await b.kill();
        assert.equal(b.isRunning(), false);
        await b.start();
        assert.equal(await b.readFile("/srv/data"), "kept");
        assert.notEqual((await b.run("systemctl is-active sleeper")).stdout, "active\n");
        assert.doesNotMatch(await b.output("journalctl --boot=-1 --no-pager"), /Reached target .*poweroff/i);
        assert.equal((await overSsh(lab, b, "root", "hostname")).stdout, "b\n");
    });

    it("reboot gives a new boot that has forgotten its firewall rules, and cuts nobody's later connections", async () => {
        const before = await bootId(b);
        await b.output("nft add table inet forgotten");
        await b.reboot();
        assert.notEqual(await bootId(b), before);
        assert.equal(await b.output("nft list tables"), "");
        assert.equal((await overSsh(lab, b, "admin", "hostname")).stdout, "b\n");
    });

    it("a reboot that the host asks for itself ends in a running host", async () => {
        const before = await bootId(b);
        await b.run("systemctl reboot");
        await until(async () => (await bootId(b).catch(() => before)) !== before && (await a.connect(b.address, 22)), {
            seconds: 60,
            message: () => "the host did not come back",
        });
        assert.equal(await b.output("hostname"), "b\n");
    });

    it("freeze keeps connections open and unanswered until thaw", async () => {
        await b.freeze();
        assert.equal(b.state(), "frozen");
        // The kernel accepts for a listening socket; the server does not greet.
        const greeting = "exec 3<>/dev/tcp/10.99.6.12/22; timeout 1 head --bytes 4 <&3";
        assert.equal((await a.run(`bash -c '${greeting}'`)).stdout, "");
        await b.thaw();
        assert.equal((await a.run(`bash -c '${greeting}'`)).stdout, "SSH-");
    });

    it("a frozen host can be killed, and says so when it is asked to shut down", async () => {
        await b.freeze();
        await assert.rejects(b.stop(), /host "b" is frozen: thaw it first, or kill it/);
        await assert.rejects(b.reboot(), /host "b" is frozen: thaw it first, or kill it/);
        await b.kill();
        await b.start();
        assert.equal(await a.connect(b.address, 22), true);
    });

    it("freezeProcess stops one program and not the host", async () => {
        await b.output("systemd-run --unit sleeper sleep 1000");
        await b.freezeProcess("sleep");
        assert.match(await b.output("ps -o stat= -C sleep"), /^T/);
        assert.equal((await overSsh(lab, b, "root", "hostname")).stdout, "b\n");
        await b.thawProcess("sleep");
        assert.match(await b.output("ps -o stat= -C sleep; systemctl stop sleeper"), /^S/);
    });

    it("cut pulls the cable, over a reboot, until heal", async () => {
        await b.cut();
        assert.equal(b.state(), "cut");
        assert.equal(await a.connect(b.address, 22), false);
        assert.equal(await b.connect(a.address, 22), false);
        assert.equal(await a.connect(c.address, 22), true);
        await b.reboot();
        assert.equal(await a.connect(b.address, 22), false);
        await b.heal();
        assert.equal(await a.connect(b.address, 22, 3000), true);
    });

    it("partitionFrom separates a host from some and not from others", async () => {
        await b.partitionFrom([a.address]);
        assert.equal(b.state(), "partition");
        assert.equal(await a.connect(b.address, 22), false);
        assert.equal(await b.connect(a.address, 22), false);
        assert.equal(await b.connect(c.address, 22), true);
        assert.equal(await a.connect(c.address, 22), true);
        await b.output("nft flush ruleset");
        assert.equal(await b.connect(a.address, 22), false);
        await b.heal();
        assert.equal(await a.connect(b.address, 22), true);
    });

    it("partitionFrom in one direction lets the other one through", async () => {
        await b.output("ip neigh flush all");
        await b.partitionFrom([a.address], "outgoing");
        const before = Number(await b.output("cat /sys/class/net/host0/statistics/rx_packets"));
        assert.equal(await a.connect(b.address, 22, 300), false);
        const after = Number(await b.output("cat /sys/class/net/host0/statistics/rx_packets"));
        assert.ok(after > before, "nothing arrived");
        await b.partitionFrom([a.address], "incoming");
        assert.equal(await a.connect(b.address, 22, 300), false);
    });

    it("delay holds each packet up in both directions, over a reboot, until clearDelay", async () => {
        const roundTrip = () => milliseconds(() => a.connect(b.address, 22, 5000));
        const overhead = await roundTrip();
        await b.delay({ ms: 150 });
        assert.equal(b.state(), "delay");
        assert.ok((await roundTrip()) >= 300);
        await b.reboot();
        assert.ok((await roundTrip()) >= 300);
        await b.clearDelay();
        assert.equal(b.state(), "up");
        const after = await roundTrip();
        assert.ok(after < 300, `took ${after} ms without a delay, ${overhead} ms before it`);
    });

    it("delay carries large transfers whole", async () => {
        await b.delay({ ms: 1, jitterMs: 1 });
        await b.output("head --bytes 20000000 /dev/urandom > /srv/large");
        const [sent = ""] = (await b.output("sha256sum /srv/large")).split(" ");
        const received = await overSsh(lab, b, "root", "cat /srv/large | base64 --wrap 0");
        await a.writeFile("/srv/large.base64", received.stdout);
        assert.match(await a.output("base64 --decode /srv/large.base64 | sha256sum"), new RegExp(`^${sent} `));
    });

    it("delay loses as many packets as asked for", async () => {
        await b.delay({ ms: 0, lossPercent: 100 });
        assert.equal(await a.connect(b.address, 22, 500), false);
        await b.delay({ ms: 0, lossPercent: 0 });
        assert.equal(await a.connect(b.address, 22, 3000), true);
    });

    it("rebuild gives an empty host with the same name, address and host key", async () => {
        await b.writeFile("/srv/data", "lost");
        const id = await b.output("cat /etc/machine-id");
        await b.rebuild();
        assert.equal((await b.run("test -e /srv/data")).code, 1);
        assert.notEqual(await b.output("cat /etc/machine-id"), id);
        assert.equal((await overSsh(lab, b, "root", "hostname")).stdout, "b\n");
    });

    it("wipe empties a directory, hidden files included, and keeps it", async () => {
        await b.output("mkdir -p -m 0700 /srv/w/deep && touch /srv/w/.hidden /srv/w/deep/file && chmod 0700 /srv/w");
        await b.wipe("/srv/w");
        assert.equal(await b.output("ls -A /srv/w; stat --format %a /srv/w"), "700\n");
    });

    it("writes and reads files whole, with their mode", async () => {
        const text = 'it\'s "$HOME" `id`\n\tä\n';
        await b.writeFile("/srv/new dir/it's.txt", text, 0o640);
        assert.equal(await b.readFile("/srv/new dir/it's.txt"), text);
        assert.equal(await b.output('stat --format %a:%U "/srv/new dir/it\'s.txt"'), "640:root\n");
        const bytes = Buffer.from([0, 255, 10, 13, 128]);
        await b.writeFile("/srv/bytes", bytes);
        assert.equal(await b.output("base64 /srv/bytes"), `${bytes.toString("base64")}\n`);
        const large = randomBytes(30_000_000);
        await b.writeFile("/srv/large", large);
        const digest = createHash("sha256").update(large).digest("hex");
        assert.equal(await b.output("sha256sum < /srv/large"), `${digest}  -\n`);
    });

    it("runs commands with their input, exit code and streams apart, and ends those that take too long", async () => {
        const result = await b.run("cat; echo problem >&2; exit 7", { stdin: "input" });
        assert.deepEqual(result, { stdout: "input", stderr: "problem\n", code: 7 });
        await assert.rejects(b.output("echo why >&2; exit 3"), /host "b": .* failed with exit code 3: why/);
        await assert.rejects(b.run("sleep 1234", { timeoutSeconds: 0.2 }), /did not end within 0\.2 s/);
        await until(async () => (await b.run("pgrep --full 'sleep 123[4]'")).code === 1, {
            seconds: 5,
            message: () => "the command still runs",
        });
    });

    it("does not let a host change this machine's clock", async () => {
        assert.notEqual((await b.run("date --set '2001-01-01'")).code, 0);
        assert.ok(new Date().getFullYear() > 2020);
    });

    it("setClockOffset changes what date says over SSH and under sudo, until it is taken back", async () => {
        const ahead = async () =>
            Number((await overSsh(lab, b, "admin", "sudo date +%s")).stdout) - Math.round(Date.now() / 1000);
        await b.setClockOffset(-600);
        assert.ok(Math.abs((await ahead()) + 600) <= 3);
        await b.setClockOffset(300);
        assert.ok(Math.abs((await ahead()) - 300) <= 3);
        await b.setClockOffset(0);
        assert.ok(Math.abs(await ahead()) <= 3);
    });

    it("journal shows one unit's lines", async () => {
        await b.output("systemd-run --unit talker --wait echo what the unit said");
        assert.match(await b.journal("talker"), /what the unit said/);
        assert.doesNotMatch(await b.journal("ssh"), /what the unit said/);
    });

    it("up ends every fault", async () => {
        await a.freeze();
        await b.cut();
        await c.partitionFrom([a.address]);
        await openLab({ environment, hosts });
        assert.deepEqual(
            lab.hosts.map((host) => host.state()),
            ["up", "up", "up"],
        );
        assert.equal(await a.connect(c.address, 22, 3000), true);
        assert.equal(await c.connect(b.address, 22, 3000), true);
    });

    it("leaves nothing when it goes down with faults on", async () => {
        await a.freeze();
        await b.delay({ ms: 5 });
        await c.cut();
        await c.kill();
        await lab.down();
        assert.deepEqual(await tracesOf(environment), []);
    });
});
