import { isAddress, isMapped, parseNetwork } from "../address";
import type { ClientArgs, EtcdClusterArgs } from "../args";
import { OPERATOR } from "../host/settings";
import { isAtLeast, KNOWN_MINORS, minorOf, parseVersion } from "../host/version";
import { NAME, NAME_WANTED } from "./hosts";
import { outside } from "./places";
import { checkDistinct, checkOneOf, checkPort, checkWhole, problem, type Problems } from "./problems";

/** It is part of unit names, paths and the name of a firewall table, which knows no dots. */
export function checkClusterName(name: string): Problems {
    if (!/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}[A-Za-z0-9])?$/.test(name)) {
        return problem("name", name, "1 to 40 letters, digits and hyphens, with a letter or digit at both ends");
    }
    const part = ["firewall", "backup"].find((unit) => name.endsWith(`-${unit}`));
    if (part === undefined) return [];
    return problem(
        "name",
        name,
        `one that does not end in "-${part}"`,
        `another cluster's ${part} unit would have this name`,
    );
}

export function checkVersion(version: unknown): Problems {
    const wanted = 'a version as etcd prints it, such as "3.6.16"';
    if (typeof version !== "string" || parseVersion(version) === undefined) return problem("version", version, wanted);
    const known: readonly string[] = KNOWN_MINORS;
    if (!known.includes(minorOf(version)))
        return problem("version", version, `a patch of one of the series ${known.join(", ")}`);
    if (isAtLeast(version, "3.4.4")) return [];
    return problem(
        "version",
        version,
        "3.4.4 or later",
        "before it a learner could be promoted at the price of the quorum",
    );
}

export function checkScalars(args: EtcdClusterArgs): Problems {
    return [
        ...checkPort("clientPort", args.clientPort),
        ...checkPort("peerPort", args.peerPort),
        ...checkOneOf("logLevel", args.logLevel, ["debug", "info", "warn", "error"]),
        ...checkAccess(args),
        ...checkToken(args.clusterToken),
        ...checkMaxLearners(args),
        ...checkDataDir(args.dataDir),
    ];
}

function checkAccess({ access, firewall, clients }: EtcdClusterArgs): Problems {
    const isLetIn =
        firewall === false || (Array.isArray(clients) && clients.some((client) => client.addresses?.length));
    if (access !== "direct" || isLetIn) return checkOneOf("access", access, ["ssh", "direct"]);
    return problem(
        "access",
        access,
        '"ssh", or a client with the address of the machine that runs Pulumi',
        "the firewall lets in the addresses of declared clients only",
    );
}

function checkToken(token: unknown): Problems {
    if (token === undefined || (typeof token === "string" && /^[A-Za-z0-9._-]{1,128}$/.test(token))) return [];
    return problem("clusterToken", token, "1 to 128 letters, digits, dots, hyphens and underscores");
}

function checkMaxLearners({ maxLearners, version }: EtcdClusterArgs): Problems {
    const problems = checkWhole("maxLearners", maxLearners, 1, 100);
    if (problems.length > 0 || maxLearners === undefined || maxLearners === 1 || isAtLeast(version, "3.6.0"))
        return problems;
    return problem(
        "maxLearners",
        maxLearners,
        "1",
        `etcd before 3.6 knows no more, and version is ${JSON.stringify(version)}`,
    );
}

function checkDataDir(dataDir: unknown): Problems {
    if (dataDir === undefined) return [];
    const property = "dataDir";
    const isPath = typeof dataDir === "string" && /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/.test(dataDir);
    if (!isPath)
        return problem(
            property,
            dataDir,
            "an absolute path of letters, digits, dots, hyphens and underscores, without a slash at its end",
        );
    const parts = dataDir.split("/").length - 1;
    if (parts < 2 || dataDir === "/var/lib") {
        return problem(
            property,
            dataDir,
            "a directory of etcd's own, two levels deep or more",
            "it is renamed when a member is replaced",
        );
    }
    const ending = /[.](restored|snapshots)$/.exec(dataDir)?.[0];
    if (ending !== undefined)
        return problem(
            property,
            dataDir,
            `one that does not end in "${ending}"`,
            "what belongs to a data directory of the name before that has this name",
        );
    return outside(property, dataDir, "/var/lib and /srv are good places");
}

export function checkClients(clients: readonly ClientArgs[] = []): Problems {
    if (!Array.isArray(clients)) return problem("clients", clients, "a list");
    return [
        ...clients.flatMap((client: ClientArgs, index) => checkClient(client, `clients[${index}]`)),
        ...checkDistinct(
            clients,
            (client: ClientArgs) => client.name,
            (index, first) =>
                problem(
                    `clients[${index}].name`,
                    clients[index]?.name,
                    `a name that no other client has, and clients[${first}] has it`,
                ),
        ),
    ];
}

function checkClient(client: ClientArgs, at: string): Problems {
    const { name, addresses = [] } = client;
    return [
        ...(typeof name === "string" && NAME.test(name) ? [] : problem(`${at}.name`, name, NAME_WANTED)),
        ...(name === OPERATOR
            ? problem(`${at}.name`, name, "another name", "pulumi-etcd's own certificate has this one")
            : []),
        ...addresses.flatMap((address, index) => checkClientAddress(`${at}.addresses[${index}]`, address)),
    ];
}

function checkClientAddress(property: string, address: unknown): Problems {
    const wanted = 'an IP address or a network, such as "10.0.0.0/24"';
    if (typeof address !== "string") return problem(property, address, wanted);
    const network = parseNetwork(address);
    if (network === undefined && !isAddress(address)) return problem(property, address, wanted);
    if (isMapped(network?.canonical ?? address))
        return problem(property, address, "an IPv4 address or network, written as one", "its packets are IPv4");
    return network === undefined || network.isExact
        ? []
        : problem(property, address, `the network's first address, ${JSON.stringify(network.canonical)}`);
}
