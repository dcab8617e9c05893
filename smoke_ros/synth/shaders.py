"""The renderer's shader programs, in GLSL.

Positions are in the world frame, colours linear. Framebuffers hold the picture's top row first:
the projection puts the image's downward axis along the framebuffer's upward one.
"""

from __future__ import annotations

VERSION = '#version 430\n'

#: The colours of the light, and what bends it. Powers and exponentials are slow on a processor;
#: nobody sees the difference to what is here.
LIGHT = """
uniform vec3 sun_direction;
uniform vec3 sun_colour;
uniform vec3 zenith_colour;
uniform vec3 horizon_colour;
uniform vec3 ground_colour;

// x to the power of n, for x from 0 to 1: Schlick, A Fast Alternative to Phong's Specular Model.
float power(float x, float n) { return x / (n - n * x + x); }

// How much light gets through air: nearly exp(-x).
float through_air(float x) { return 1.0 / (1.0 + x * (1.0 + x * (0.5 + x * 0.25))); }
"""

#: What lies around a point: sky, clouds, and what stands at the horizon of a mirrored view.
SURROUNDINGS = """
uniform float clouds;
uniform sampler2D noise;

vec3 clear_sky(vec3 direction) {
    return mix(horizon_colour, zenith_colour, sqrt(clamp(direction.z, 0.0, 1.0)));
}

vec3 sky(vec3 direction) {
    vec3 colour = clear_sky(direction);
    vec2 uv = direction.xy / (max(direction.z, 0.0) + 0.12) * 0.11;
    float density = 0.6 * textureLod(noise, uv, 0.0).r + 0.4 * textureLod(noise, uv * 4.3, 0.0).r;
    float cover = smoothstep(1.0 - clouds, 1.35 - clouds, density + 0.15);
    vec3 cloud = horizon_colour * (0.75 + 0.5 * density) + 0.35 * sun_colour * density;
    colour = mix(colour, cloud, cover * smoothstep(0.0, 0.1, direction.z));
    float facing = max(dot(direction, sun_direction), 0.0);
    float open = 1.0 - 0.8 * cover;
    colour += sun_colour * open * (0.12 * power(facing, 6.0) + 0.5 * power(facing, 60.0));
    return colour + sun_colour * open * 12.0 * smoothstep(0.9995, 0.9998, facing);
}

vec3 mirrored(vec3 direction) {
    vec2 azimuth = normalize(direction.xy + 1e-4) * 0.35;
    vec2 uv = direction.xy / (max(direction.z, 0.0) + 0.25) * 0.13;
    float density = textureLod(noise, uv, 2.0).r;
    vec3 above = mix(clear_sky(direction), horizon_colour * (0.8 + 0.4 * density),
                     smoothstep(1.0 - clouds, 1.4 - clouds, density + 0.15));
    float hills = textureLod(noise, azimuth, 0.0).r;
    float skyline = 0.03 + 0.5 * hills * hills;
    vec3 far = 0.28 * ground_colour + 0.12 * horizon_colour;
    vec3 below = mix(far, ground_colour, smoothstep(0.0, -0.25, direction.z));
    return mix(below, above, smoothstep(skyline - 0.04, skyline + 0.04, direction.z));
}
"""

INSTANCES = """
struct Instance { vec4 rows[3]; vec4 look; };
layout(std430, binding = 0) readonly buffer Instances { Instance instances[]; };
uniform int first_instance;
uniform mat4 clip_from_world;
"""

SURFACE_VERTEX = """
in vec3 in_position;
in vec3 in_normal;
in vec3 in_colour;
in vec2 in_look;
in vec2 in_uv;
out vec3 world;
out vec3 normal;
out vec3 colour;
out vec3 look;
out vec2 uv;
out vec3 place;

void main() {
    Instance here = instances[first_instance + gl_InstanceID];
    mat3 turn = transpose(mat3(here.rows[0].xyz, here.rows[1].xyz, here.rows[2].xyz));
    vec3 offset = vec3(here.rows[0].w, here.rows[1].w, here.rows[2].w);
    vec3 relative = turn * in_position;
    world = relative + offset;
    vec3 squares = vec3(dot(turn[0], turn[0]), dot(turn[1], turn[1]), dot(turn[2], turn[2]));
    normal = turn * (in_normal / squares);
    colour = in_colour * mix(vec3(1.0), here.look.rgb, in_look.x);
    // A number of the instance's own, that it keeps where it moves along.
    float own = fract(sin(dot(here.look.rgb, vec3(127.1, 311.7, 74.7)) + here.look.a) * 43758.5);
    look = vec3(in_look.y, relative.z, own);
    place = in_position;
    uv = in_uv;
    gl_Position = clip_from_world * vec4(world, 1.0);
}
"""

#: How much of the sky a surface sees, and where it is in the shadow map.
LIGHTING = """
uniform mat4 shadow_from_world;

// What stands on the ground hides half of the sky from its own feet.
float openness(vec3 n, float height) {
    return mix(smoothstep(-0.35, 0.9, height), 1.0, clamp(0.35 + n.z, 0.0, 1.0));
}

vec3 skylight(vec3 n, float open) {
    vec3 hemisphere = mix(mix(horizon_colour, zenith_colour, 0.5),
                          0.5 * (ground_colour + horizon_colour), 0.5 - 0.5 * n.z);
    return hemisphere * open;
}
"""

#: Whether the sun reaches a place.
SHADOWS = """
uniform float shadow_texel;
uniform sampler2DShadow shadows;

// One of four places around a texel, on a turned square: close together, since a picture that is
// hardly shrunk shows their differences.
vec2 tap(ivec2 corner) {
    vec2 side = 2.0 * vec2(corner & 1) - 1.0;
    return vec2(0.45 * side.x - 0.15 * side.y, 0.15 * side.x + 0.45 * side.y);
}

float sunlit(vec3 at, float facing, vec2 offset) {
    vec3 outside = abs(at - 0.5);
    float edge = max(outside.x, outside.y);
    if (edge > 0.5 || facing <= 0.0) return 1.0;
    at.z -= 0.0006 + 0.0012 * (1.0 - facing);
    float lit = texture(shadows, vec3(at.xy + offset * shadow_texel, at.z));
    return mix(lit, 1.0, smoothstep(0.45, 0.5, edge));
}
"""

#: Leaves and wire are matt and lie in many layers. Where a shader discards, a processor runs it
#: for hidden layers too, so that the light is found at the vertices.
CUTOUT_VERTEX = """
in vec3 in_position;
in vec3 in_normal;
in vec3 in_colour;
in vec2 in_look;
in vec2 in_uv;
uniform vec3 eye;
uniform float fog_per_m;
out vec3 light;
out float clear_air;
out vec2 uv;

void main() {
    Instance here = instances[first_instance + gl_InstanceID];
    mat3 turn = transpose(mat3(here.rows[0].xyz, here.rows[1].xyz, here.rows[2].xyz));
    vec3 relative = turn * in_position;
    vec3 world = relative + vec3(here.rows[0].w, here.rows[1].w, here.rows[2].w);
    vec3 squares = vec3(dot(turn[0], turn[0]), dot(turn[1], turn[1]), dot(turn[2], turn[2]));
    vec3 n = normalize(turn * (in_normal / squares));
    vec3 ray = world - eye;
    float distance = length(ray);
    if (dot(ray, n) > 0.25 * distance) n = -n;
    vec3 colour = in_colour * mix(vec3(1.0), here.look.rgb, in_look.x);
    float facing = dot(n, sun_direction);
    vec3 at = (shadow_from_world * vec4(world, 1.0)).xyz;
    float lit = 0.0;
    for (int i = 0; i < 4; i++) lit += 0.25 * sunlit(at, facing, tap(ivec2(i, i / 2)));
    clear_air = through_air(fog_per_m * distance);
    light = colour * skylight(n, openness(n, relative.z));
    light = (light + colour * sun_colour * (lit * max(facing, 0.0))) * clear_air;
    uv = in_uv;
    gl_Position = clip_from_world * vec4(world, 1.0);
}
"""

CUTOUT_FRAGMENT = """
in vec3 light;
in float clear_air;
in vec2 uv;
uniform sampler2D surface;
out vec4 radiance;

void main() {
    vec4 texel = texture(surface, uv);
    if (texel.a < 0.4) discard;
    radiance = vec4(texel.rgb * texel.rgb * light + horizon_colour * (1.0 - clear_air), 1.0);
}
"""

SURFACE_FRAGMENT = """
in vec3 world;
in vec3 normal;
in vec3 colour;
in vec3 look;
in vec2 uv;
in vec3 place;
uniform vec3 eye;
uniform float fog_per_m;
#ifdef TEXTURED
uniform sampler2D surface;
#endif
out vec4 radiance;

void main() {
    vec3 albedo = colour;
#ifdef TEXTURED
    vec3 texel = texture(surface, uv).rgb;
    albedo *= texel * texel; // close to sRGB's curve, and cheaper
#endif
    vec3 ray = world - eye;
    float distance = length(ray);
    ray /= distance;
    vec3 n = normalize(normal);
    float towards = -dot(ray, n);
    if (towards < -0.25) { n = -n; towards = -towards; }
    towards = max(towards, 0.0);
    float facing = dot(n, sun_direction);
    // Neighbouring pixels look at different places of the map; shrinking the picture blends them.
    vec2 offset = tap(ivec2(gl_FragCoord.xy));
    float lit = sunlit((shadow_from_world * vec4(world, 1.0)).xyz, facing, offset);
    float open = openness(n, look.y);
    vec3 light = skylight(n, open) + sun_colour * (lit * max(facing, 0.0));
    vec3 result = albedo * light;
#ifdef GLOSSY // A branch would not do: on a processor both of its sides are run.
    float gloss = look.x;
    if (gloss > MATT_GLOSS) {
        float grazing = (1.0 - towards) * (1.0 - towards);
        float own = look.z;
        // Coated and dirty glass and waxed paint mirror more than clean glass, differently much.
        float plain = mix(0.04, 0.2, own * own);
        float fresnel = gloss * (plain + 0.9 * grazing * grazing * (1.0 - towards));
        vec3 mirror = reflect(ray, n);
        float glint = max(dot(mirror, sun_direction), 0.0);
        float squared = gloss * gloss;
        float sharp = 8.0 + 1000.0 * squared * squared * gloss;
        vec3 glare = sun_colour * (lit * step(0.0, facing) * power(glint, sharp) * 0.03 * sharp);
        result = mix(result, mirrored(mirror) * mix(0.4, 1.0, open), fresnel);
        result += glare * (0.06 * gloss + fresnel);
        if (gloss > 0.95) { // Through a car's windows others are seen, but for seats and heads.
            vec2 behind = vec2(place.y + 0.2 * place.x, place.z) * vec2(1.1, 0.7) + 9.0 * own;
            vec2 part = fract(behind + 0.2 * behind.yx);
            vec2 gaps = 4.0 * part * (1.0 - part);
            float clear = gaps.x * gaps.y;
            float dimmed = fract(17.0 * own);
            result += 0.5 * dimmed * dimmed * smoothstep(0.3, 0.7, clear) * horizon_colour;
        }
    }
#endif
    float haze = through_air(fog_per_m * distance);
    radiance = vec4(mix(horizon_colour, min(result, 8.0), haze), 1.0);
}
"""

#: Shadows and ids: only where a surface is matters.
SILHOUETTE_VERTEX = """
in vec3 in_position;
#ifdef CUTOUT
in vec2 in_uv;
out vec2 uv;
#endif
out float depth;
flat out float object_id;

void main() {
    Instance here = instances[first_instance + gl_InstanceID];
    vec4 at = vec4(in_position, 1.0);
    vec3 world = vec3(dot(here.rows[0], at), dot(here.rows[1], at), dot(here.rows[2], at));
    gl_Position = clip_from_world * vec4(world, 1.0);
    depth = gl_Position.w;
    object_id = here.look.a;
#ifdef CUTOUT
    uv = in_uv;
#endif
}
"""

SILHOUETTE_FRAGMENT = """
in float depth;
flat in float object_id;
#ifdef CUTOUT
in vec2 uv;
uniform sampler2D surface;
#endif
#ifndef SHADOW
out vec2 id_and_depth;
#endif

void main() {
#ifdef CUTOUT
    if (texture(surface, uv).a < 0.4) discard;
#endif
#ifndef SHADOW
    id_and_depth = vec2(object_id, depth);
#endif
}
"""

FULL_SCREEN_VERTEX = """
out vec2 at;
void main() {
    at = vec2((gl_VertexID & 1) * 4 - 1, (gl_VertexID & 2) * 2 - 1);
    gl_Position = vec4(at, 1.0, 1.0);
}
"""

SKY_FRAGMENT = """
in vec2 at;
uniform mat3 ray_from_clip;
out vec4 radiance;

void main() {
    vec3 direction = normalize(ray_from_clip * vec3(at, 1.0));
    vec3 colour = sky(normalize(vec3(direction.xy, max(direction.z, 0.0))));
    radiance = vec4(min(colour, 8.0), 1.0);
}
"""

#: The soft dark patch below what stands on the ground, where no skylight comes.
CONTACT_VERTEX = """
uniform float reach;
out vec2 across;
flat out vec2 half_size;

void main() {
    Instance here = instances[first_instance + gl_InstanceID];
    vec2 corner = vec2((gl_VertexID & 1) * 2 - 1, (gl_VertexID & 2) - 1);
    half_size = here.look.xy;
    across = corner * (half_size + 2.0 * reach * min(half_size.x, half_size.y));
    vec4 at = vec4(across, 0.02, 1.0);
    vec3 world = vec3(dot(here.rows[0], at), dot(here.rows[1], at), dot(here.rows[2], at));
    gl_Position = clip_from_world * vec4(world, 1.0);
}
"""

CONTACT_FRAGMENT = """
uniform float reach;
uniform float darkest;
in vec2 across;
flat in vec2 half_size;
out vec4 shade;

void main() {
    vec2 outside = max(abs(across) - 0.8 * half_size, 0.0);
    float soft = 2.0 * reach * min(half_size.x, half_size.y);
    float away = length(outside / (soft + 0.2 * half_size));
    shade = vec4(vec3(mix(darkest, 1.0, smoothstep(0.0, 1.0, away))), 1.0);
}
"""
