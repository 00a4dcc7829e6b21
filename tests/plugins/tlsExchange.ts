import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";

interface Identity {
    readonly key: string;
    readonly cert: string;
    /** What the other side must be signed by. */
    readonly ca: string;
}

/** Both sides show the same identity and check the other's. Returns the greeting that the server makes of the client's name. */
export async function exchangeOverTls(identity: Identity, serverName: string): Promise<string> {
    const server = createServer({ ...identity, requestCert: true, rejectUnauthorized: true }, (socket) => {
        socket.end(`hello ${socket.getPeerCertificate().subject.CN}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
        return await read(connect({ ...identity, host: "127.0.0.1", port, servername: serverName }));
    } finally {
        server.close();
    }
}

function read(socket: TLSSocket): Promise<string> {
    return new Promise((resolve, reject) => {
        let text = "";
        socket.on("data", (data: Buffer) => (text += data.toString()));
        socket.once("error", reject).once("end", () => resolve(text));
    });
}
