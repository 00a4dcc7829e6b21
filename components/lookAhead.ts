/** What the program sees of a cluster while the engine still starts the process that would look at it. */
import * as pulumi from "@pulumi/pulumi";

import type { LateInputs } from "./late";
import { desiredOf, type MembershipInputs } from "./membership/inputs";
import type { Observation } from "./membership/types";
import { pack } from "./packed";
import type { ProvisionInputs } from "./provision/inputs";
import type { Sight } from "./provision/sight";
import type { ConnectionPool } from "./remote/connectionPool";

/**
 * The engine starts its process for dynamic resources when it first has need of it, and does nothing else until that is there. It takes
 * longer than a look at all hosts and at etcd takes the program, which has nothing to do meanwhile: begun when the certificates are
 * known, so that the engine has little left to do after it. What the program has seen is handed over with the inputs.
 */
export class LookAhead {
    /** Of the hosts, for `EtcdProvision`: what `see` returns, packed. */
    readonly hosts: pulumi.Output<string | undefined>;

    #observation: Promise<string | undefined> = Promise.resolve(undefined);

    /** @param isAsked whether etcd is, too */
    constructor(provision: LateInputs<ProvisionInputs>, membership: LateInputs<MembershipInputs>, isAsked: boolean) {
        // Under mocks there are no hosts, either.
        if (!pulumi.runtime.getEngine()) {
            this.hosts = pulumi.output(undefined);
            return;
        }
        // With the certificates of membership's inputs comes whatever the cluster depends on, and is done.
        this.hosts = pulumi.all([provision, membership]).apply(([asked, observing]) => {
            startProvider();
            const looked = this.#look(asked as ProvisionInputs, isAsked ? (observing as MembershipInputs) : undefined);
            // Looked at there, and told.
            return looked.catch(() => undefined);
        });
    }

    /** Of etcd, for `EtcdMembership`: an `Observation`, packed, if there is anything to see. @param before what comes first */
    members(before: readonly pulumi.Output<unknown>[]): pulumi.Output<string | undefined> {
        return pulumi.secret(pulumi.all([...before]).apply(() => this.#observation));
    }

    /** Hosts that can't be seen are among what was seen. When etcd can't be observed, that is tried again there, and told. */
    async #look(asked: ProvisionInputs, observing: MembershipInputs | undefined): Promise<string> {
        const { pool } = await import("./remote/connectionPool");
        looking += 1;
        const sights = see(pool, asked);
        this.#observation = sights
            .then((all) => (observing && all.every(isInOrder) ? observe(pool, observing) : undefined))
            .then((observation) => observation && pack(observation))
            .catch(() => undefined)
            .finally(() => {
                looking -= 1;
                if (looking === 0) pool.closeAll();
            });
        return pack(await sights);
    }
}

/** Clusters of this program that are being looked at. They share connections; the last one closes them, or they would outlive their use. */
let looking = 0;

/** Where a host is still to be given something, there is something to do, and etcd will be asked again. */
function isInOrder(sight: Sight): boolean {
    return "facts" in sight && sight.facts.isInstalled && sight.facts.isStaged;
}

/** Has the engine start its process, which knows no functions and says so as soon as it is there. */
function startProvider(): void {
    void pulumi.runtime.invoke("pulumi-nodejs:dynamic:start", {}).catch(() => undefined);
}

async function see(pool: ConnectionPool, inputs: ProvisionInputs): Promise<readonly Sight[]> {
    const { see: seeAll } = await import("./provision/sight");
    return seeAll(pool, inputs);
}

async function observe(pool: ConnectionPool, inputs: MembershipInputs): Promise<Observation> {
    const { Observer } = await import("./membership/observe");
    const observer = new Observer(desiredOf({}, inputs), pool, inputs.credentials, inputs.access);
    return observer.observe().finally(() => observer.close());
}
