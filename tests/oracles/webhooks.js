"use strict";
/*
 * The libraries of Standard Webhooks, for webhooks.py.
 * verify SECRET: requests on standard input; for each library and request
 *     what it says of it, of one with a byte changed, and of it 301 s later.
 * sign LIBRARY SECRET ID: a body on standard input; the headers for it.
 */
const fs = require("node:fs");

const libraries = {
	standardwebhooks: require("standardwebhooks").Webhook,
	svix: require("svix").Webhook,
};

function said(library, secret, body, headers) {
	try {
		return new library(secret).verify(body, headers);
	} catch (error) {
		return error.message;
	}
}

function later(seconds, run) {
	const now = Date.now;
	Date.now = () => now() + seconds * 1000;
	try {
		return run();
	} finally {
		Date.now = now;
	}
}

function verify(secret) {
	const requests = JSON.parse(fs.readFileSync(0, "utf8"));
	const found = [];
	for (const [name, library] of Object.entries(libraries)) {
		for (const { body, ...headers } of requests) {
			found.push({
				library: name,
				genuine: said(library, secret, body, headers),
				changed: said(library, secret, body.replace("{", "{ "), headers),
				late: later(302, () => said(library, secret, body, headers)),
				in_time: later(290, () => said(library, secret, body, headers)),
			});
		}
	}
	return found;
}

function sign(name, secret, id) {
	const now = new Date();
	const body = fs.readFileSync(0, "utf8");
	return {
		"webhook-id": id,
		"webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
		"webhook-signature": new libraries[name](secret).sign(id, now, body),
	};
}

const [action, ...words] = process.argv.slice(2);
console.log(JSON.stringify({ verify, sign }[action](...words)));
