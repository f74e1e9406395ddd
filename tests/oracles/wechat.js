"use strict";
/*
 * co-wechat-api and wechat-crypto, for wechat.py; each prints JSON.
 * api URL APPID SECRET: {"openid","template","data"} on standard input; what
 *     the SDK gets from the simulator at URL for each thing that it does.
 * open TOKEN KEY APPID: pushes on standard input, as /wechat/pushes has them;
 *     what the library reads in each, and the signature that it expects.
 * seal TOKEN KEY APPID: XML on standard input; query and body of its push.
 */
const fs = require("node:fs");
const WechatAPI = require("co-wechat-api");
const WXBizMsgCrypt = require("wechat-crypto");

async function said(promise) {
	try {
		const answer = await promise;
		return { errcode: 0, ...answer, msgid: answer.msgid && String(answer.msgid) };
	} catch (error) {
		return { errcode: error.code, message: error.message };
	}
}

function client(url, appid, secret) {
	const found = new WechatAPI(appid, secret);
	found.endpoint = url;
	found.prefix = `${url}/cgi-bin/`;
	return found;
}

async function api(given, url, appid, secret) {
	const { openid, template, data } = JSON.parse(given);
	const good = client(url, appid, secret);
	const send = (who, what, values) =>
		said(who.sendTemplate(openid, what, "https://clinic.example/", "#173177", values));
	const found = {
		template: await send(good, template, data),
		no_template: await send(good, "nobody", data),
		too_long: await send(good, template,
			{ ...data, [Object.keys(data)[0]]: { value: "阿".repeat(21) } }),
		no_openid: await said(good.sendTemplate("+8613800000000", template, "", "", data)),
		wrong_secret: await said(client(url, appid, `${secret}x`).getAccessToken()),
		wrong_appid: await said(client(url, "wx0", secret).getAccessToken()),
		early: await said(good.sendText(openid, "1")),
	};
	await fetch(`${url}/wechat/push`, { method: "POST",
		body: JSON.stringify({ event: "text", from: openid, text: "1" }) });
	found.answer = await said(good.sendText(openid, "谢谢 \"1\"\n😀"));
	/* a newer token of the SDK's kind, whose older one goes on for a while */
	await client(url, appid, secret).getAccessToken();
	found.overlap = await send(good, template, data);
	/* all end: the SDK is told so, and gets another */
	await fetch(`${url}/wechat/expire`, { method: "POST", body: "" });
	found.renewed = await send(good, template, data);
	return found;
}

function open(given, token, key, appid) {
	const crypto = new WXBizMsgCrypt(token, key, appid);
	return JSON.parse(given).map(({ query, body }) => {
		const search = new URLSearchParams(query);
		const [, encrypted] = body.match(/<Encrypt><!\[CDATA\[(.*)\]\]><\/Encrypt>/);
		return {
			...crypto.decrypt(encrypted),
			given: search.get("msg_signature"),
			expected: crypto.getSignature(search.get("timestamp"), search.get("nonce"), encrypted),
		};
	});
}

function seal(given, token, key, appid) {
	const crypto = new WXBizMsgCrypt(token, key, appid);
	const encrypted = crypto.encrypt(given);
	const timestamp = String(Math.floor(Date.now() / 1000));
	const signature = crypto.getSignature(timestamp, "77", encrypted);
	return {
		query: `timestamp=${timestamp}&nonce=77&encrypt_type=aes&msg_signature=${signature}`,
		body: `<xml><ToUserName><![CDATA[gh_0]]></ToUserName><Encrypt><![CDATA[${encrypted}]]></Encrypt></xml>`,
	};
}

async function main([action, ...words]) {
	const given = fs.readFileSync(0, "utf8");
	console.log(JSON.stringify(await { api, open, seal }[action](given, ...words)));
	process.exit(0);
}
main(process.argv.slice(2));
