/** Who can talk to whom: addresses, certificates, firewalls, and connections that go on when no new one could be made. */
import type { Lab } from "./lab";
import type { Machine, Service } from "./machine";

export class Network {
    /** Connections that were there when they could still be made, by who made them. They end with either process. */
    private readonly kept = new WeakMap<Service, Set<Service>>();

    /** Whom a host can't call, though that one may call it: somebody else's firewall. */
    private readonly uncalled = new WeakMap<Machine, Machine>();

    constructor(private readonly lab: Lab) {}

    keepFromCalling(one: Machine, other: Machine | undefined): void {
        if (!other) return void this.uncalled.delete(one);
        this.uncalled.set(one, other);
        if (one.service && other.service) this.kept.get(one.service)?.delete(other.service);
    }

    isKeptFromCalling(one: Machine): boolean {
        return this.uncalled.has(one);
    }

    /** Counts it as connected, as etcd itself does: it has called the other where the list says, and was answered. */
    hears(one: Machine, other: Machine): boolean {
        return this.areConnected(one, other) && (one === other || this.calls(one, other) || this.keeps(one, other));
    }

    /**
     * Messages go both ways: over the connection that the receiver made to get them, or, where it could make none, over one that is made
     * for each message (etcd v3.6 server/etcdserver/api/rafthttp: streamWriter, pipeline). So one who can call the other now is enough.
     */
    areConnected(one: Machine, other: Machine): boolean {
        if (!this.lab.isAlive(one) || !this.lab.isAlive(other)) return false;
        if (one === other) return true;
        if (!letsIn(one, other) || !letsIn(other, one)) return false;
        return this.calls(one, other) || this.calls(other, one) || (this.keeps(one, other) && this.keeps(other, one));
    }

    /** Who starts empty finds a member where the list says. */
    finds(one: Machine, other: Machine): boolean {
        return this.lab.isAlive(other) && letsIn(other, one) && this.calls(one, other);
    }

    /** To be called before anything that keeps members from calling each other: those that are connected stay so. */
    keep(): void {
        const alive = this.lab.machines.filter((machine) => this.lab.isAlive(machine) && this.lab.memberOn(machine));
        for (const one of alive)
            for (const other of alive) {
                if (one === other || !letsIn(other, one) || !this.calls(one, other)) continue;
                const others = this.kept.get(one.service!) ?? new Set();
                this.kept.set(one.service!, others.add(other.service!));
            }
    }

    /** Its connections end, whoever made them. */
    cut({ service }: Machine): void {
        if (!service) return;
        this.kept.delete(service);
        for (const other of this.lab.machines) if (other.service) this.kept.get(other.service)?.delete(service);
    }

    /** It calls the other where the list says, and has a certificate if it takes one. */
    private calls(one: Machine, other: Machine): boolean {
        if (this.uncalled.get(one) === other) return false;
        if (!isAsCertified(one) || !isAsCertified(other) || !this.isAtItsPlace(other)) return false;
        return !one.service!.isPlain || other.servedPeerUrl!.startsWith("http:");
    }

    private keeps(one: Machine, other: Machine): boolean {
        return this.kept.get(one.service!)?.has(other.service!) === true;
    }

    /** It serves its peers where the list says. */
    private isAtItsPlace(machine: Machine): boolean {
        return this.lab.memberOn(machine)?.member.peerUrl === machine.servedPeerUrl;
    }
}

/**
 * It has the address that it serves at and calls from (SetMemberLocalAddr), and its certificate is for that one, as both sides of a
 * connection check (etcd v3.6 client/pkg/transport/listener_tls.go: checkCertSAN).
 */
function isAsCertified({ service, addresses, certified }: Machine): boolean {
    const address = service!.address;
    return addresses.includes(address) && (certified === undefined || certified === address);
}

/** A host that is given no firewall of ours yet lets everybody in. */
function letsIn(host: Machine, peer: Machine): boolean {
    return host.peers === undefined ? host.theirs !== undefined : host.peers.includes(peer.service!.address);
}
