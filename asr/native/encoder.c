/* Whisper's audio encoder on a CPU, from its first block on, with int8 weights. */

#include "attention.h"

typedef struct {
    LayerNorm attn_ln;
    Linear query_key_value, attn_out; /* queries come scaled by HEAD ** -0.5 */
    LayerNorm mlp_ln;
    Linear mlp_in, mlp_out;
} EncoderBlock;

typedef struct {
    int32_t state, heads, layers;
    const EncoderBlock *blocks; /* (layers) */
    LayerNorm ln_post;
    int32_t silent_frames;                      /* kept of a silent window */
    const Element *silent_keys, *silent_values; /* (layers, heads, panels) of them */
    float silent_bias;                          /* added to their scores */
} Encoder;

/* A clip that several threads encode together. */
typedef struct {
    const Encoder *encoder;
    int32_t rows, silent_from; /* frames; and which of the silent ones follow them */
    float *x;                  /* (rows, state) */
    float *hidden;             /* (rows, 4 * state) */
    float *attended;           /* (rows, state) */
    Levels levels;             /* (rows), with room for 4 * state values each */
    Element *queries;          /* (heads, rows, HEAD) */
    Element *keys, *values;    /* (heads, panels) */
    Scratch scratch;           /* of the first thread; those of the others follow */
} Clip;

/* Put queries, keys and values where attention wants them. */
static void arrange(const Clip *clip, Thread thread) {
    const Encoder *m = clip->encoder;
    const size_t size = (size_t)panels_of(clip->rows) * PANEL_SIZE;
    OWN_SHARE(i, m->heads * clip->rows, thread) {
        const int32_t h = i / clip->rows, r = i % clip->rows;
        const float *query = clip->hidden + (size_t)r * 3 * m->state + h * HEAD;
        for (int32_t d = 0; d < HEAD; d++) clip->queries[(size_t)i * HEAD + d] = element(query[d]);
        keep_frame(clip->keys + h * size, clip->values + h * size, r, query + m->state, query + 2 * m->state);
    }
    meet(thread);
}

/* Every head of every frame looks at all frames, and at the silence after them. */
static void attend_to_all(const Clip *clip, Thread thread, int32_t layer) {
    const Encoder *m = clip->encoder;
    const size_t size = (size_t)panels_of(clip->rows) * PANEL_SIZE;
    const size_t silent_size = (size_t)panels_of(m->silent_frames) * PANEL_SIZE;
    const int32_t tiles = (clip->rows + TILE - 1) / TILE;
    OWN_SHARE(i, m->heads * tiles, thread) {
        const int32_t h = i / tiles, top = i % tiles * TILE;
        const size_t silent = ((size_t)layer * m->heads + h) * silent_size;
        const Span spans[2] = {
            {clip->keys + h * size, clip->values + h * size, 0, clip->rows, 0.0f},
            {m->silent_keys + silent, m->silent_values + silent, clip->silent_from, m->silent_frames, m->silent_bias},
        };
        attend(spans, clip->rows - top < TILE ? clip->rows - top : TILE,
               clip->queries + ((size_t)h * clip->rows + top) * HEAD, scratch_of(clip->scratch, thread),
               clip->attended + (size_t)top * m->state + h * HEAD, m->state);
    }
    meet(thread);
}

/* What one thread does of a clip (Radford et al. 2022, figure 1, on the left). */
static void take_part(void *what, Thread thread) {
    const Clip *clip = what;
    const Encoder *m = clip->encoder;
    const int32_t rows = clip->rows, state = m->state;
    for (int32_t layer = 0; layer < m->layers; layer++) {
        const EncoderBlock *block = m->blocks + layer;
        normalise_rows(thread, &block->attn_ln, rows, clip->x, state, clip->levels);
        linear(thread, &block->query_key_value, rows, clip->levels, clip->hidden, SET);
        arrange(clip, thread);
        attend_to_all(clip, thread, layer);
        quantise_rows(thread, rows, clip->attended, state, clip->levels);
        linear(thread, &block->attn_out, rows, clip->levels, clip->x, ADD);

        normalise_rows(thread, &block->mlp_ln, rows, clip->x, state, clip->levels);
        linear(thread, &block->mlp_in, rows, clip->levels, clip->hidden, GELU);
        quantise_rows(thread, rows, clip->hidden, 4 * state, clip->levels);
        linear(thread, &block->mlp_out, rows, clip->levels, clip->x, ADD);
    }
    OWN_SHARE(r, rows, thread) {
        float *row = clip->x + (size_t)r * state;
        normalise(&m->ln_post, row, state, row);
    }
}

/* Encode embedded frames x (rows, state) in place, which are followed by the silent frames from `silent_from` on.
 * Gives 0, or -1 when there is no memory. */
int encoder_run(const Encoder *encoder, int32_t rows, float *x, int32_t silent_from, int32_t threads) {
    const size_t n = rows, state = encoder->state, kept = encoder->heads * (size_t)panels_of(rows) * PANEL_SIZE;
    Clip clip = {.encoder = encoder, .rows = rows, .silent_from = silent_from, .x = x};
    clip.hidden = malloc(n * (5 * state * sizeof(float) + sizeof(Quantised) + 4 * state + state * sizeof(Element)));
    clip.keys = calloc(2 * kept, sizeof(Element)); /* no frames where the last panel is not full */
    const int failed = !clip.hidden || !clip.keys ||
                       make_scratch(&clip.scratch, panels_of(rows) + panels_of(encoder->silent_frames), threads);
    if (!failed) {
        clip.attended = clip.hidden + n * 4 * state;
        clip.levels.scales = (Quantised *)(clip.attended + n * state);
        clip.queries = (Element *)(clip.levels.scales + n);
        clip.levels.values = (uint8_t *)(clip.queries + n * state);
        clip.values = clip.keys + kept;
        together(take_part, &clip, threads);
        free(clip.scratch.scores);
    }
    free(clip.hidden);
    free(clip.keys);
    return failed ? -1 : 0;
}
