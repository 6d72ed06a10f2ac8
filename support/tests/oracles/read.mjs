// One mail per line in base64; per line a JSON object of what each parser reads of it.
import { createInterface } from "node:readline";
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const size = (content) => content.byteLength ?? content.length ?? 0;

async function nodemailer(raw) {
  const mail = await simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true });
  const from = mail.from?.value?.[0] ?? {};
  return {
    address: from.address ?? "",
    name: from.name ?? "",
    subject: mail.subject ?? "",
    text: mail.text ?? "",
    html: mail.html || "",
    files: mail.attachments.map((file) => [file.filename ?? "", size(file.content)]),
  };
}

async function postal(raw) {
  const mail = await PostalMime.parse(raw);
  return {
    address: mail.from?.address ?? "",
    name: mail.from?.name ?? "",
    subject: mail.subject ?? "",
    text: mail.text ?? "",
    html: mail.html ?? "",
    files: mail.attachments.map((file) => [file.filename ?? "", size(file.content)]),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const raw = Buffer.from(line, "base64");
  const read = {};
  for (const [name, parse] of Object.entries({ nodemailer, postal })) {
    try {
      read[name] = await parse(raw);
    } catch (error) {
      read[name] = { error: String(error) };
    }
  }
  console.log(JSON.stringify(read));
}
