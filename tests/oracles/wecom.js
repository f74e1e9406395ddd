"use strict";
/*
 * @wecom/crypto, the vendor's own, for wecom.py; each prints JSON.
 * open TOKEN KEY: pushes on standard input, as /wecom/pushes has them; what the
 *     library reads in each, and the signature that it expects.
 * seal TOKEN KEY CORPID: a text on standard input; query, body and the query
 *     with an echo, as the vendor pushes it and asks with it.
 */
const fs = require("node:fs");
const { decrypt, encrypt, getSignature } = require("@wecom/crypto");

function open(given, token, key) {
	return JSON.parse(given).map(({ query, body }) => {
		const search = new URLSearchParams(query);
		const encrypted = search.get("echostr") ||
			body.match(/<Encrypt><!\[CDATA\[(.*)\]\]><\/Encrypt>/)[1];
		return {
			...decrypt(key, encrypted),
			given: search.get("msg_signature"),
			expected: getSignature(token, search.get("timestamp"), search.get("nonce"), encrypted),
		};
	});
}

function seal(given, token, key, corpid) {
	const encrypted = encrypt(key, given, corpid);
	const timestamp = String(Math.floor(Date.now() / 1000));
	const search = new URLSearchParams({
		msg_signature: getSignature(token, timestamp, "77", encrypted),
		timestamp,
		nonce: "77",
	});
	const query = search.toString();
	search.set("echostr", encrypted);
	return {
		query,
		body: `<xml><ToUserName><![CDATA[${corpid}]]></ToUserName><Encrypt><![CDATA[${encrypted}]]></Encrypt><AgentID><![CDATA[1000002]]></AgentID></xml>`,
		asking: search.toString(),
	};
}

const [action, ...words] = process.argv.slice(2);
console.log(JSON.stringify({ open, seal }[action](fs.readFileSync(0, "utf8"), ...words)));
