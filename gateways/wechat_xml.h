#ifndef ADHERD_GATEWAY_WECHAT_XML_H
#define ADHERD_GATEWAY_WECHAT_XML_H

/*
 * The XML of WeChat's pushes, read by expat into a flat list: the text of
 * each element that holds no other, by its path below <xml>.  A DTD ends the
 * reading, so there are no entities of the document's own; size, depth and
 * number of elements have bounds, and it is UTF-8 whatever it says.  Then what
 * all messages have in common.  Not part of the interface.
 */
#include "wechat.h"

#include <expat.h>
#include <string.h>

#define WECHAT_TEXT_BYTES_MAX 8192 /* of a reply: all that the host keeps */
#define WECHAT_XML_BYTES_MAX (64 * 1024)
#define WECHAT_XML_DEPTH_MAX 8
#define WECHAT_XML_ELEMENTS_MAX 256
#define WECHAT_XML_NAME_MAX 64
#define WECHAT_XML_PATH_MAX \
	(WECHAT_XML_DEPTH_MAX * (WECHAT_XML_NAME_MAX + 1) + 1)

struct wechat_xml_leaf {
	const char *path; /* "SubscribeMsgSentEvent/List/MsgID" */
	const char *text;
	size_t parent; /* number of the element that it stands in */
};

struct wechat_xml {
	struct wechat_xml_leaf leaves[WECHAT_XML_ELEMENTS_MAX];
	size_t count;
	/* while it is read */
	struct gw_call *call;
	XML_Parser parser;
	struct gw_buf *text;            /* of the element that is open */
	char path[WECHAT_XML_PATH_MAX]; /* "/xml/List/MsgID" */
	size_t path_bytes, depth, elements;
	size_t open[WECHAT_XML_DEPTH_MAX]; /* their numbers, from 1 */
	bool leaf; /* nothing has been opened in what is open */
	bool bad;
};

/* The text at a path, the first of several; NULL: there is none. */
static inline const char *
wechat_xml_get(const struct wechat_xml *xml, const char *path)
{
	for (size_t i = 0; xml != NULL && i < xml->count; i++)
		if (strcmp(xml->leaves[i].path, path) == 0)
			return xml->leaves[i].text;
	return NULL;
}

static inline void
wechat_xml_refuse(struct wechat_xml *xml)
{
	xml->bad = true;
	(void)XML_StopParser(xml->parser, XML_FALSE);
}

static inline void XMLCALL
wechat_xml_doctype(void *arg, const XML_Char *name, const XML_Char *system,
    const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	wechat_xml_refuse(arg);
}

static inline void XMLCALL
wechat_xml_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct wechat_xml *xml = arg;
	size_t bytes = strlen(name);

	(void)attributes;
	if (xml->bad)
		return;
	if (xml->depth == WECHAT_XML_DEPTH_MAX ||
	    xml->elements == WECHAT_XML_ELEMENTS_MAX ||
	    bytes > WECHAT_XML_NAME_MAX ||
	    (xml->depth == 0 && strcmp(name, "xml") != 0)) {
		wechat_xml_refuse(xml);
		return;
	}
	xml->open[xml->depth++] = ++xml->elements;
	xml->path[xml->path_bytes++] = '/';
	memcpy(xml->path + xml->path_bytes, name, bytes + 1);
	xml->path_bytes += bytes;
	xml->text = xml->call->host->buf(xml->call);
	xml->leaf = true;
}

/* What is said twice below the top has two meanings. */
static inline void
wechat_xml_keep(struct wechat_xml *xml)
{
	const char *path = xml->path + strlen("/xml/");

	if (strchr(path, '/') == NULL && wechat_xml_get(xml, path) != NULL) {
		wechat_xml_refuse(xml);
		return;
	}
	xml->leaves[xml->count++] = (struct wechat_xml_leaf){
	    xml->call->host->format(xml->call, "%s", path),
	    xml->call->host->buf_string(xml->text), xml->open[xml->depth - 2]};
}

static inline void XMLCALL
wechat_xml_end(void *arg, const XML_Char *name)
{
	struct wechat_xml *xml = arg;

	if (xml->bad)
		return;
	if (xml->leaf && xml->depth > 1)
		wechat_xml_keep(xml);
	xml->path_bytes -= strlen(name) + 1;
	xml->path[xml->path_bytes] = '\0';
	xml->depth--;
	xml->leaf = false;
}

static inline void XMLCALL
wechat_xml_text(void *arg, const XML_Char *text, int bytes)
{
	struct wechat_xml *xml = arg;

	if (!xml->bad && xml->text != NULL && xml->leaf)
		xml->call->host->buf_add(xml->text, text, (size_t)bytes);
}

/* NULL if it is no such document. */
static inline const struct wechat_xml *
wechat_xml_read(struct gw_call *call, const char *data, size_t bytes)
{
	struct wechat_xml *xml = call->host->alloc(call, sizeof(*xml));
	bool good;

	if (bytes > WECHAT_XML_BYTES_MAX)
		return NULL;
	xml->call = call;
	xml->parser = XML_ParserCreate("UTF-8");
	if (xml->parser == NULL)
		return NULL;
	XML_SetUserData(xml->parser, xml);
	XML_SetStartDoctypeDeclHandler(xml->parser, wechat_xml_doctype);
	XML_SetElementHandler(xml->parser, wechat_xml_start, wechat_xml_end);
	XML_SetCharacterDataHandler(xml->parser, wechat_xml_text);
	good = XML_Parse(xml->parser, data, (int)bytes, XML_TRUE) ==
		   XML_STATUS_OK &&
	       !xml->bad;
	XML_ParserFree(xml->parser);
	xml->parser = NULL;
	return good ? xml : NULL;
}

/* Who says it, and when; the type, or NULL if it is no message. */
static inline const char *
wechat_read_head(const struct wechat_xml *xml, struct gw_event *event)
{
	const char *created = wechat_xml_get(xml, "CreateTime");

	event->address = wechat_xml_get(xml, "FromUserName");
	if (created == NULL || !wechat_all_of(created, DIGITS) ||
	    strlen(created) > 11 || event->address == NULL)
		return NULL;
	event->at_us = strtoll(created, NULL, 10) * SECOND_US;
	return wechat_xml_get(xml, "MsgType");
}

/* A text; of a picture or a voice that there was one, for a person to see. */
static inline bool
wechat_read_words(struct gw_call *call, const struct wechat_xml *xml,
    const char *type, struct gw_event *event)
{
	static const char *const others[] = {
	    "image", "voice", "video", "shortvideo", "location", "link"};

	event->type = GW_EVENT_REPLY;
	event->id = wechat_xml_get(xml, "MsgId");
	event->text = strcmp(type, "text") == 0
			  ? wechat_xml_get(xml, "Content")
			  : call->host->format(call, "[%s]", type);
	if (strcmp(type, "text") != 0 &&
	    !wechat_is_one_of(type, others, COUNT(others)))
		return false;
	return event->id != NULL && event->text != NULL &&
	       event->text[0] != '\0' &&
	       strlen(event->text) <= WECHAT_TEXT_BYTES_MAX;
}

#endif
