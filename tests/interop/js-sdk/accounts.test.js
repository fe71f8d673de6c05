// matrix-js-sdk, as it comes from npm, against the example homeserver.
//
// What the library reports is checked, and what the server then says to somebody who asks it without the
// library. Run by `.ci/interop`; by hand, after `npm ci` here:
//
//     ../with-homeserver homeserver.json node --test

import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpApiEvent, InteractiveAuth, createClient } from "matrix-js-sdk";
import { NoAuthFlowFoundError } from "matrix-js-sdk/lib/interactive-auth.js";
import { logger } from "matrix-js-sdk/lib/logger.js";

logger.setLevel("silent");
const baseUrl = process.env.HOMESERVER;
const ALL_BUT_CAPTCHA = ["m.login.terms", "m.login.registration_token", "m.login.dummy", "m.login.password"];

/** A request without the library: the status and the JSON of the answer. */
async function ask(method, path, token, body) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const url = `${baseUrl}/_matrix/client/v3/${path}`;
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    return { status: answer.status, ...(await answer.json()) };
}

async function assertLive(token, userId) {
    const who = await ask("GET", "account/whoami", token);
    assert.deepEqual([who.status, who.user_id], [200, userId]);
}

async function assertDead(token) {
    const { status, errcode, soft_logout: soft = false } = await ask("GET", "account/whoami", token);
    assert.deepEqual([status, errcode, soft], [401, "M_UNKNOWN_TOKEN", false]);
}

const byPassword = (user, password) => ({
    type: "m.login.password",
    identifier: { type: "m.id.user", user },
    password,
});

async function login(user, password) {
    return ask("POST", "login", undefined, byPassword(user, password));
}

async function assertRefused(user, password, code = "M_FORBIDDEN") {
    const { status, errcode } = await login(user, password);
    assert.deepEqual([status, errcode], [403, code]);
}

/** A client of the library's for this login, and what it emits when it believes the login to be gone. */
function clientOf({ access_token: accessToken, user_id: userId, device_id: deviceId }) {
    const client = createClient({ baseUrl, accessToken, userId, deviceId });
    const gone = [];
    client.on(HttpApiEvent.SessionLoggedOut, (error) => gone.push(error.errcode));
    return { client, gone };
}

/**
 * Lets the library drive `request` to its end. Each stage it asks for is answered by the next of `answers`;
 * every one has to be asked for, in this order. What the library was told at each is in `seen`.
 */
async function authenticate(client, answers, request, options = {}) {
    const seen = [];
    const requests = [];
    const left = [...answers];
    const auth = new InteractiveAuth({
        matrixClient: client,
        supportedStages: ALL_BUT_CAPTCHA,
        doRequest: (dict) => {
            requests.push(dict);
            return request(dict);
        },
        stateUpdated: (stage, status) => {
            seen.push({ stage, errcode: status.errcode, params: auth.getStageParams(stage) });
            const [expected, answer] = left.shift() ?? [];
            assert.equal(stage, expected);
            auth.submitAuthDict({ type: stage, ...answer });
        },
        ...options,
    });
    const result = await auth.attemptAuth();
    assert.deepEqual(left, []);
    return { result, seen, requests, flow: auth.getChosenFlow() };
}

/** Registers a user by terms, token and dummy, a wrong token first. */
async function register(username, password) {
    const client = createClient({ baseUrl });
    const answers = [
        ["m.login.terms", {}],
        ["m.login.registration_token", { token: "bad-token" }],
        ["m.login.registration_token", { token: "good-token" }],
    ];
    return authenticate(client, answers, (auth) => client.registerRequest({ username, password, auth }));
}

test("registerRequest through terms, a token and a dummy stage", async () => {
    const { result, seen, requests, flow } = await register("carol", "christmas");
    assert.deepEqual(flow.stages, ["m.login.terms", "m.login.registration_token", "m.login.dummy"]);
    assert.deepEqual(
        seen.map(({ stage, errcode }) => [stage, errcode]),
        [
            ["m.login.terms", undefined],
            ["m.login.registration_token", undefined],
            ["m.login.registration_token", "M_UNAUTHORIZED"],
        ],
    );
    assert.equal(seen[0].params.policies.privacy.en.url, "https://example.org/privacy");
    // The first request has `auth: null`; the dummy stage is the library's own, and one session holds them all.
    assert.equal(requests.length, 5);
    assert.equal(requests[0], null);
    assert.equal(requests[4].type, "m.login.dummy");
    assert.equal(new Set(requests.slice(1).map(({ session }) => session)).size, 1);

    assert.equal(result.user_id, "@carol:localhost");
    await assertLive(result.access_token, "@carol:localhost");
    const { client } = clientOf(result);
    assert.deepEqual(await client.whoami(), {
        user_id: "@carol:localhost",
        device_id: result.device_id,
        is_guest: false,
    });
});

test("a name in use ends the registration with the first request", async () => {
    const failed = register("alice", "looking-glass");
    await assert.rejects(failed, { name: "M_USER_IN_USE", httpStatus: 400 });
    await assertRefused("alice", "looking-glass");
});

test("a flow that the application can't do is found out before anything is answered", async () => {
    const client = createClient({ baseUrl });
    const request = (auth) => client.registerRequest({ username: "dave", password: "christmas", auth });
    const failed = authenticate(client, [], request, { inputs: { emailAddress: "dave@example.org" } });
    await assert.rejects(failed, NoAuthFlowFoundError);
    await assertRefused("dave", "christmas");
});

test("register, the older call, one stage at a time", async () => {
    const client = createClient({ baseUrl });
    const step = (session, auth) => client.register("erin", "easter-egg", session, auth);
    const state = (completed) => (error) => {
        assert.equal(error.httpStatus, 401);
        assert.deepEqual(error.data.completed, completed);
        return true;
    };
    const session = await step(undefined, undefined).catch((error) => error.data.session);
    await assert.rejects(step(session, { type: "m.login.terms" }), state(["m.login.terms"]));
    await assert.rejects(
        step(session, { type: "m.login.registration_token", token: "good-token" }),
        state(["m.login.terms", "m.login.registration_token"]),
    );
    const made = await step(session, { type: "m.login.dummy" });
    assert.equal(made.user_id, "@erin:localhost");
    await assertLive(made.access_token, "@erin:localhost");
});

test("loginWithPassword, devices and logout", async () => {
    const client = createClient({ baseUrl });
    const { flows } = await client.loginFlows();
    assert.ok(flows.some(({ type }) => type === "m.login.password"));
    await assert.rejects(client.loginWithPassword("alice", "white-rabbit"), { name: "M_FORBIDDEN", httpStatus: 403 });
    const first = await client.loginWithPassword("alice", "wonderland");
    assert.equal(first.user_id, "@alice:localhost");

    const [phone, tablet] = [await login("alice", "wonderland"), await login("alice", "wonderland")];
    await client.setDeviceDetails(phone.device_id, { display_name: "Old phone" });
    assert.equal((await client.getDevice(phone.device_id)).display_name, "Old phone");
    const answers = [
        ["m.login.password", byPassword("alice", "white-rabbit")],
        ["m.login.password", byPassword("alice", "wonderland")],
    ];
    const { result, seen } = await authenticate(client, answers, (auth) =>
        client.deleteMultipleDevices([phone.device_id], auth),
    );
    assert.deepEqual(result, {});
    assert.deepEqual(seen.map(({ errcode }) => errcode), [undefined, "M_FORBIDDEN"]);
    await assertDead(phone.access_token);
    await assertLive(tablet.access_token, "@alice:localhost");
    await authenticate(client, answers.slice(1), (auth) => client.deleteDevice(tablet.device_id, auth));
    await assertDead(tablet.access_token);

    await client.logout();
    await assertDead(first.access_token);
});

test("setPassword changes it, and signs the other devices out", async () => {
    const mine = (await register("frank", "first-password")).result;
    const other = await login("frank", "first-password");
    const { client, gone } = clientOf(mine);
    const answers = [
        ["m.login.password", byPassword("frank", "second-password")],
        ["m.login.password", byPassword("@frank:localhost", "first-password")],
    ];
    const { result, seen } = await authenticate(client, answers, (auth) =>
        client.setPassword(auth, "second-password", true),
    );
    assert.deepEqual(result, {});
    assert.deepEqual(seen.map(({ errcode }) => errcode), [undefined, "M_FORBIDDEN"]);
    assert.deepEqual(gone, [], "a challenge is not the end of a login");
    await assertLive(mine.access_token, "@frank:localhost");
    await assertDead(other.access_token);
    await assertRefused("frank", "first-password");

    // Without a session, in one request; and this time nobody is signed out.
    const third = await login("frank", "second-password");
    await client.setPassword(byPassword("frank", "second-password"), "third-password", false);
    await assertLive(third.access_token, "@frank:localhost");
    await assertRefused("frank", "second-password");
    assert.equal((await login("frank", "third-password")).status, 200);

    // The one that was signed out finds out by itself.
    const stale = clientOf(other);
    await assert.rejects(stale.client.whoami(), { name: "M_UNKNOWN_TOKEN" });
    assert.deepEqual(stale.gone, ["M_UNKNOWN_TOKEN"]);
});

test("deactivateAccount ends the account", async () => {
    const client = createClient({ baseUrl });
    const mine = await client.loginWithPassword("alice", "wonderland");
    const other = await login("alice", "wonderland");
    const answers = [
        ["m.login.password", byPassword("alice", "white-rabbit")],
        ["m.login.password", byPassword("alice", "wonderland")],
    ];
    const { result, seen } = await authenticate(client, answers, (auth) => client.deactivateAccount(auth, true));
    assert.deepEqual(seen.map(({ errcode }) => errcode), [undefined, "M_FORBIDDEN"]);
    assert.deepEqual(result, { id_server_unbind_result: "success" });
    await assertDead(mine.access_token);
    await assertDead(other.access_token);
    await assertRefused("alice", "wonderland", "M_USER_DEACTIVATED");
    await assert.rejects(register("alice", "looking-glass"), { name: "M_USER_IN_USE" });
});
