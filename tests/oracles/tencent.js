"use strict";
/*
 * Tencent Cloud's own SDK against the simulator: what it sends must be
 * accepted, and refused when one byte of the secret differs.  TAP on standard
 * output.  Arguments: PORT, ID, SECRET.
 *
 * The SDK takes the service from the endpoint's first label and signs a host
 * without a port, so the endpoint stays the vendor's, and the agent dials the
 * simulator instead.
 */
const assert = require("node:assert");
const http = require("node:http");
const net = require("node:net");
const { sms } = require("tencentcloud-sdk-nodejs-sms");

const [port, id, secret] = process.argv.slice(2);
const wrongSecret = secret.slice(0, -1) + (secret.endsWith("x") ? "y" : "x");

class Dialling extends http.Agent {
	createConnection(options, done) {
		return net.createConnection({ host: "127.0.0.1", port: Number(port) }, done);
	}
}

function client(key) {
	return new sms.v20210111.Client({
		credential: { secretId: id, secretKey: key },
		region: "ap-guangzhou",
		profile: {
			signMethod: "TC3-HMAC-SHA256",
			httpProfile: {
				endpoint: "sms.tencentcloudapi.com", protocol: "http://",
				reqMethod: "POST", reqTimeout: 3, agent: new Dialling(),
			},
		},
	});
}

const good = () => client(secret);
const bad = () => client(wrongSecret);

let phones = 0;
const phone = () => `+86137${String(10000000 + phones++)}`;
const message = (changes) => ({
	PhoneNumberSet: [phone()], SmsSdkAppId: "1400006666", TemplateId: "1234567",
	SignName: "示例医院",
	TemplateParamSet: ["张三 *~'()!\"\\", "二甲双胍 0.5g+ 😀", "08:00"],
	SessionContext: `oracle-${phones}`, ...changes,
});

/* The code of each number, or that of the request. */
async function codes(promise) {
	try {
		return (await promise).SendStatusSet.map((status) => status.Code);
	} catch (error) {
		return error.code;
	}
}

async function view(path) {
	return (await fetch(`http://127.0.0.1:${port}${path}`)).json();
}

async function last(count) {
	return (await view("/ledger?limit=10000")).entries.slice(-count);
}

const pull = (number) => ({
	BeginTime: Math.floor(Date.now() / 1000) - 60, Offset: 0, Limit: 10,
	PhoneNumber: number, SmsSdkAppId: "1400006666",
});

const tests = [
	["SendSms is accepted and arrives as given", async () => {
		const sent = message();
		const answer = await good().SendSms(sent);
		const [status] = answer.SendStatusSet;
		assert.equal(status.Code, "Ok");
		assert.equal(status.PhoneNumber, sent.PhoneNumberSet[0]);
		assert.equal(status.SessionContext, sent.SessionContext);
		assert.match(status.SerialNo, /^5000:\d{28}$/);
		const [entry] = await last(1);
		assert.equal(entry.message_id, status.SerialNo);
		assert.equal(entry.reference, sent.SessionContext);
		assert.equal(entry.address, sent.PhoneNumberSet[0]);
		assert.equal(entry.text, "【示例医院】张三 *~'()!\"\\您好，请按时服用二甲双胍 0.5g+ 😀，时间08:00。");
	}],
	["SendSms with one byte of the secret changed is refused", async () => {
		assert.equal(await codes(bad().SendSms(message())), "AuthFailure.SignatureFailure");
	}],
	["a key that nobody has is refused", async () => {
		const stranger = good();
		stranger.credential.secretId = "nobody";
		assert.equal(await codes(stranger.SendSms(message())), "AuthFailure.SecretIdNotFound");
	}],
	["200 numbers are accepted, a message for each", async () => {
		const numbers = Array.from({ length: 200 }, phone);
		const answer = await good().SendSms(message({ PhoneNumberSet: numbers }));
		assert.deepEqual(answer.SendStatusSet.map((s) => [s.PhoneNumber, s.Code]), numbers.map((n) => [n, "Ok"]));
		assert.deepEqual((await last(200)).map((e) => e.address), numbers);
	}],
	["201 numbers are refused whole", async () => {
		assert.equal(await codes(good().SendSms(message({ PhoneNumberSet: Array.from({ length: 201 }, phone) }))), "LimitExceeded.PhoneNumberCountLimit");
	}],
	["outcomes are mixed in one answer", async () => {
		assert.deepEqual(await codes(good().SendSms(message({ PhoneNumberSet: [phone(), "+861380000"] }))), ["Ok", "InvalidParameterValue.IncorrectPhoneNumber"]);
	}],
	["a template nobody registered is refused", async () => {
		assert.deepEqual(await codes(good().SendSms(message({ TemplateId: "1" }))), ["FailedOperation.TemplateIncorrectOrUnapproved"]);
	}],
	["a missing variable is refused", async () => {
		assert.deepEqual(await codes(good().SendSms(message({ TemplateParamSet: ["a"] }))), ["FailedOperation.TemplateParamSetNotMatchApprovedTemplate"]);
	}],
	["another application is refused", async () => {
		assert.equal(await codes(good().SendSms(message({ SmsSdkAppId: "1400000000" }))), "UnauthorizedOperation.SmsSdkAppIdVerifyFail");
	}],
	["PullSmsSendStatusByPhoneNumber finds what was reported", async () => {
		const sent = message();
		assert.deepEqual(await codes(good().SendSms(sent)), ["Ok"]);
		const end = Date.now() + 5000;
		let rows = [];
		while (rows.length === 0 && Date.now() < end)
			rows = (await good().PullSmsSendStatusByPhoneNumber(pull(sent.PhoneNumberSet[0]))).PullSmsSendStatusSet;
		assert.deepEqual(rows.map((row) => [row.SessionContext, row.ReportStatus]), [[sent.SessionContext, "SUCCESS"]]);
	}],
	["PullSmsSendStatusByPhoneNumber with one byte of the secret changed is refused", async () => {
		await assert.rejects(bad().PullSmsSendStatusByPhoneNumber(pull(phone())), { code: "AuthFailure.SignatureFailure" });
	}],
];

async function main() {
	let failed = 0;
	console.log(`TAP version 13\n1..${tests.length}`);
	for (const [i, [name, test]] of tests.entries()) {
		try {
			const before = (await view("/ledger/summary")).messages;
			await test();
			if (name.includes("refused"))
				assert.equal((await view("/ledger/summary")).messages, before, "it was taken all the same");
			console.log(`ok ${i + 1} - TC3-HMAC-SHA256 (tencentcloud-sdk-nodejs-sms): ${name}`);
		} catch (error) {
			failed++;
			console.log(`not ok ${i + 1} - ${name}\n# ${String(error.message).replaceAll("\n", "\n# ")}`);
		}
	}
	process.exit(failed ? 1 : 0);
}
main();
