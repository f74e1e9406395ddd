"use strict";
/*
 * Aliyun's own SDKs against the simulator: what they send must be accepted,
 * and refused when one byte of the secret differs.  TAP on standard output.
 * Arguments: PORT, ID, SECRET.
 */
const assert = require("node:assert");
const Dysms = require("@alicloud/dysmsapi20170525");
const { Config } = require("@alicloud/openapi-client");
const { RuntimeOptions } = require("@alicloud/tea-util");
const { RPCClient } = require("@alicloud/pop-core");

const [port, id, secret] = process.argv.slice(2);
const wrongSecret = secret.slice(0, -1) + (secret.endsWith("x") ? "y" : "x");
const host = `127.0.0.1:${port}`;

function modern(key) {
	const client = new Dysms.default(new Config({
		accessKeyId: id, accessKeySecret: key, endpoint: host, protocol: "http",
	}));
	const once = new RuntimeOptions({ autoretry: false, connectTimeout: 3000, readTimeout: 3000 });
	const call = (name, Request) => async (parameters) => {
		const fields = Object.fromEntries(Object.entries(parameters).map(
		    ([k, v]) => [k[0].toLowerCase() + k.slice(1), v]));
		const answer = await client[`${name}WithOptions`](new Request(fields), once);
		return answer.body.toMap ? answer.body.toMap() : answer.body;
	};
	return {
		SendSms: call("sendSms", Dysms.SendSmsRequest),
		SendBatchSms: call("sendBatchSms", Dysms.SendBatchSmsRequest),
		QuerySendDetails: call("querySendDetails", Dysms.QuerySendDetailsRequest),
	};
}

function older(key, method) {
	const client = new RPCClient({
		accessKeyId: id, accessKeySecret: key, endpoint: `http://${host}`,
		apiVersion: "2017-05-25",
	});
	const call = (action) => async (parameters) => {
		try {
			return await client.request(action, parameters, { method, timeout: 3000 });
		} catch (error) {
			/* this SDK throws on business codes; the other returns them */
			if (error.data && error.entry.response.statusCode === 200) return error.data;
			throw error;
		}
	};
	return {
		SendSms: call("SendSms"), SendBatchSms: call("SendBatchSms"),
		QuerySendDetails: call("QuerySendDetails"),
	};
}

let phones = 0;
const sms = (changes) => ({
	PhoneNumbers: `138${String(10000000 + phones++)}`, SignName: "示例医院",
	TemplateCode: "SMS_154950909",
	TemplateParam: JSON.stringify({ name: "张三 *~'()!", drug: "二甲双胍 0.5g+", time: "08:00" }),
	OutId: `oracle-${phones}`, ...changes,
});
const batch = (changes) => ({
	PhoneNumberJson: JSON.stringify(["13900000001", "13900000002"]),
	SignNameJson: JSON.stringify(["示例医院", "示例医院"]),
	TemplateCode: "SMS_154950910",
	TemplateParamJson: JSON.stringify([{ name: "张三" }, { name: "李四 *~" }]),
	OutId: "oracle-batch", ...changes,
});

async function code(promise) {
	try {
		return (await promise).Code;
	} catch (error) {
		return error.code;
	}
}

async function last(count) {
	const answer = await fetch(`http://${host}/ledger?limit=10000`);
	return (await answer.json()).entries.slice(-count);
}

function testsOf(name, make) {
	const good = () => make(secret), bad = () => make(wrongSecret);
	return [
		[`${name}: SendSms is accepted and arrives as given`, async () => {
			const message = sms();
			const answer = await good().SendSms(message);
			assert.equal(answer.Code, "OK");
			assert.match(answer.BizId, /^\d+\^0$/);
			const [entry] = await last(1);
			assert.equal(entry.message_id, answer.BizId);
			assert.equal(entry.reference, message.OutId);
			assert.equal(entry.address, `+86${message.PhoneNumbers}`);
			assert.equal(entry.text, "【示例医院】张三 *~'()!您好，请按时服用二甲双胍 0.5g+，时间08:00。");
		}],
		[`${name}: SendSms with one byte of the secret changed is refused`, async () => {
			assert.equal(await code(bad().SendSms(sms())), "SignatureDoesNotMatch");
		}],
		[`${name}: a template nobody registered is refused`, async () => {
			assert.equal(await code(good().SendSms(sms({ TemplateCode: "SMS_0" }))), "isv.SMS_TEMPLATE_ILLEGAL");
		}],
		[`${name}: a missing variable is refused`, async () => {
			assert.equal(await code(good().SendSms(sms({ TemplateParam: "{\"name\":\"a\"}" }))), "isv.TEMPLATE_MISSING_PARAMETERS");
		}],
		[`${name}: a bad number is refused`, async () => {
			assert.equal(await code(good().SendSms(sms({ PhoneNumbers: "1380000" }))), "isv.MOBILE_NUMBER_ILLEGAL");
		}],
		[`${name}: SendBatchSms is accepted, a message for each number`, async () => {
			assert.equal(await code(good().SendBatchSms(batch())), "OK");
			assert.deepEqual((await last(2)).map((e) => [e.address, e.params.name]),
			    [["+8613900000001", "张三"], ["+8613900000002", "李四 *~"]]);
		}],
		[`${name}: SendBatchSms with one byte of the secret changed is refused`, async () => {
			assert.equal(await code(bad().SendBatchSms(batch())), "SignatureDoesNotMatch");
		}],
		[`${name}: QuerySendDetails finds what was sent`, async () => {
			const message = sms();
			assert.equal(await code(good().SendSms(message)), "OK");
			const date = new Date(Date.now() + 8 * 3600e3).toISOString().slice(0, 10).replaceAll("-", "");
			const answer = await good().QuerySendDetails({
				PhoneNumber: message.PhoneNumbers, SendDate: date, PageSize: 10, CurrentPage: 1,
			});
			const rows = answer.SmsSendDetailDTOs.SmsSendDetailDTO;
			assert.equal(rows.length, 1);
			assert.equal((rows[0].toMap ? rows[0].toMap() : rows[0]).OutId, message.OutId);
		}],
	];
}

async function main() {
	const tests = [
		...testsOf("ACS3-HMAC-SHA256 (dysmsapi20170525)", modern),
		...testsOf("RPC HMAC-SHA1 POST (pop-core)", (key) => older(key, "POST")),
		...testsOf("RPC HMAC-SHA1 GET (pop-core)", (key) => older(key, "GET")),
	];
	let failed = 0;
	console.log(`TAP version 13\n1..${tests.length}`);
	for (const [i, [name, test]] of tests.entries()) {
		try {
			const before = (await (await fetch(`http://${host}/ledger/summary`)).json()).messages;
			await test();
			if (name.includes("refused"))
				assert.equal((await (await fetch(`http://${host}/ledger/summary`)).json()).messages, before, "it was taken all the same");
			console.log(`ok ${i + 1} - ${name}`);
		} catch (error) {
			failed++;
			console.log(`not ok ${i + 1} - ${name}\n# ${String(error.message).replaceAll("\n", "\n# ")}`);
		}
	}
	process.exit(failed ? 1 : 0);
}
main();
