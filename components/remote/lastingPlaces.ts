/** Where scripts that stay, such as those that hold locks, find a session: on as many connections to a host as they need. */

interface Link {
    readonly isAlive: boolean;
    close(): void;
}

interface Room<C> {
    readonly connection: Promise<C>;
    /** Undefined while it is being made. */
    made: C | undefined;
    free: number;
}

export interface Place<C> {
    readonly connection: C;
    giveBack(): void;
}

export class LastingPlaces<C extends Link> {
    #rooms: Room<C>[];

    /**
     * @param own has that many places
     * @param more makes a further connection, of so many places, when there is no other
     */
    constructor(
        private readonly own: C,
        sizeOfOwn: number,
        private readonly more: () => Promise<C>,
        private readonly sizeOfMore: number,
    ) {
        this.#rooms = [{ connection: Promise.resolve(own), made: own, free: sizeOfOwn }];
    }

    /** @throws as `more` */
    async take(): Promise<Place<C>> {
        this.#rooms = this.#rooms.filter(({ made }) => made === this.own || made?.isAlive !== false);
        const room = this.#rooms.find(({ free }) => free > 0) ?? this.#open();
        room.free -= 1;
        const connection = await room.connection;
        let isTaken = true;
        const giveBack = (): void => {
            if (isTaken) room.free += 1;
            isTaken = false;
        };
        return { connection, giveBack };
    }

    /** Closes the further connections, also those that are still being made. */
    close(): void {
        const further = this.#rooms.splice(1);
        for (const { connection } of further) void connection.then((made) => made.close()).catch(() => {});
    }

    #open(): Room<C> {
        const room: Room<C> = { connection: this.more(), made: undefined, free: this.sizeOfMore };
        this.#rooms.push(room);
        room.connection.then(
            (made) => (room.made = made),
            () => (this.#rooms = this.#rooms.filter((other) => other !== room)),
        );
        return room;
    }
}
