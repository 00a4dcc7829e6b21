/** Whose API a step goes through, by what was seen: keys of hosts. Pure. */
import type { Id, Observation } from "./types";

/** The host whose etcd answers as this member. */
export function answeringAs({ hosts }: Observation, memberId: Id | undefined): string | undefined {
    return Object.keys(hosts).find((key) => hosts[key]?.status && hosts[key].status.memberId === memberId);
}

/** The leader's: promotions and transfers are refused or forwarded, with trouble, elsewhere. Where it does not answer, any voter's. */
export function leaderToAsk(seen: Observation): string | undefined {
    return answeringAs(seen, seen.cluster?.leaderId) ?? votersToAsk(seen)[0];
}

/** Healthy voters', in the order in which they are asked: the leader's first, and never that of the member which is to go. */
export function votersToAsk({ hosts, cluster }: Observation, except?: Id): readonly string[] {
    const leads = (key: string): boolean => hosts[key]?.status?.memberId === cluster?.leaderId;
    const healthy = Object.keys(hosts).filter((key) => {
        const { status } = hosts[key]!;
        return status?.isHealthy && status.memberId !== except;
    });
    return [...healthy.filter(leads), ...healthy.filter((key) => !leads(key))];
}

/**
 * Of a member that the leader does not hear, and may still have connections with: the leader's host, and the member's peer URLs. What the
 * member says of itself says nothing about that: it may be cut off from its peers alone.
 */
export function silentPeer(
    seen: Observation,
    memberId: string,
): { readonly leader: string; readonly peerUrls: readonly string[] } | undefined {
    const { members = [], leaderId } = seen.cluster ?? {};
    const leader = answeringAs(seen, leaderId);
    const member = members.find(({ id }) => id === memberId);
    const own = answeringAs(seen, memberId);
    const isHeard = own !== undefined && seen.hosts[own]?.servesPeers === true;
    if (leader === undefined || !member || isHeard) return undefined;
    return { leader, peerUrls: member.peerUrls };
}
